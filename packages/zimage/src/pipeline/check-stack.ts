/** Decides which stacks of adapters a picture may have. */
import { ModelError } from "../errors.ts";
import type { LoraStack } from "../networks/lora-batch.ts";

/** More styles at once cancel each other out, and each one makes every step slower. */
export const stackAdaptersMax = 4;
/** Adapters are trained at 1; twice that, or the opposite, is where pictures fall apart. */
export const strengthMax = 2;

/** Throws INPUT_INVALID with field, value and bound. */
export function checkStack(stack: LoraStack): void {
  if (stack.length > stackAdaptersMax) {
    refuse("loras", `loras has ${stack.length} adapters; at most ${stackAdaptersMax}`);
  }
  for (const [at, { strength }] of stack.entries()) {
    if (Math.abs(strength) <= strengthMax) continue;
    const field = `loras[${at}].strength`;
    refuse(field, `${field} is ${strength}; from -${strengthMax} to ${strengthMax}`);
  }
}

function refuse(field: string, message: string): never {
  throw new ModelError("INPUT_INVALID", message, { field });
}

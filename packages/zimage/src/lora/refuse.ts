/** How an adapter file is refused: one error code, the field at fault in front. */
import { ModelError } from "../errors.ts";

/** Throws LORA_INVALID: `field` names a tensor, a module or a property of the file. */
export function refuseLora(field: string, problem: string, cause?: unknown): never {
  throw new ModelError("LORA_INVALID", `${field} ${problem}`, { field, cause });
}

const namesMax = 5;

/** A bounded enumeration of what may be thousands of names. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, namesMax).join(", ");
  const more = names.length - namesMax;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Misbehaviour that a prompt orders from the stub engine, for example `order slow 8000`. */

export interface PromptOrder {
  /** slow, block: milliseconds; memory: MiB. */
  readonly kind: "slow" | "block" | "memory" | "crash";
  readonly value: number;
}

export function writePromptOrder(kind: PromptOrder["kind"], value = 0): string {
  return `order ${kind} ${value}`;
}

/** Undefined where the prompt orders nothing. */
export function readPromptOrder(prompt: string): PromptOrder | undefined {
  const match = /^order (slow|block|memory|crash) (\d+)$/.exec(prompt);
  if (match === null) return undefined;
  return { kind: match[1] as PromptOrder["kind"], value: Number(match[2]) };
}

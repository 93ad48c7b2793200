/** Broken invariants: a bug, never an outcome. The process that finds one dies. */

export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError unless the condition holds; `why` says what must be true. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${why}`);
}

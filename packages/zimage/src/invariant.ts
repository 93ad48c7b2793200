/** Broken promises inside this package; a caller cannot cause or repair one. */

export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws InvariantError unless the condition holds; `why` states the promise that was broken. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(why);
}

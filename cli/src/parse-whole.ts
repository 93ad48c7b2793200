/** Whole numbers in options. */
import { UsageError } from "./usage-error.ts";

/** Undefined where nothing was said; UsageError naming the option, its value and its bounds. */
export function parseWhole(
  option: string,
  text: string | undefined,
  [min, max]: readonly [number, number],
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} ${text}: must be a whole number from ${min} to ${max}`);
}

/** A while, such as 90s, 30m, 2h or 3d. */

const msByUnit: ReadonlyMap<string, number> = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Milliseconds; undefined where the text is no while. */
export function parseWhile(text: string): number | undefined {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = msByUnit.get(unit);
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

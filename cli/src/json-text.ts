/** Messages of the API as lines of JSON, for other programs. */

/** 64-bit numbers as text, as JSON has no such numbers; times as ISO 8601. */
export function jsonLine(message: object): string {
  return JSON.stringify(message, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

/** The lower-case name of a value of an enumeration. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return found?.[0].toLowerCase() ?? String(value);
}

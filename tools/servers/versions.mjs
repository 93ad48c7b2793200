/** Versions as lists of numbers: read from what programs print, and compared part by part. */

/**
 * The first `1.2` or `1.2.3` in a text as three numbers, a missing third one as 0.
 * @param {string} text
 * @returns {number[] | undefined} undefined where the text holds no version.
 */
export function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match ? match.slice(1).map((part) => Number(part ?? 0)) : undefined;
}

/**
 * Below 0 where `a` is older, above 0 where it is newer; parts that are missing count as 0.
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
export function compareVersions(a, b) {
  const parts = Array.from({ length: Math.max(a.length, b.length) }, (_, index) => index);
  const differing = parts.find((index) => (a[index] ?? 0) !== (b[index] ?? 0));
  return differing === undefined ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}

/**
 * Whether the version in a text is `oldest` or newer; a text without a version never is.
 * @param {string} text
 * @param {readonly number[]} oldest
 */
export function isAtLeast(text, oldest) {
  const version = parseVersion(text);
  return version !== undefined && compareVersions(version, oldest) >= 0;
}

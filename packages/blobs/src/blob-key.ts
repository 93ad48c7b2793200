/** Decides which keys a store accepts: names that are safe in a path, a URL and a signature. */
import { FarmError } from "@zfarm/contract";

const keyPattern = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;
const keyCharsMax = 512;
/** What file systems allow for one name. */
const segmentCharsMax = 255;

export function isBlobKey(key: string): boolean {
  if (key.length > keyCharsMax || !keyPattern.test(key)) return false;
  return key
    .split("/")
    .every((part) => part !== "." && part !== ".." && part.length <= segmentCharsMax);
}

/** Throws INTERNAL: keys are built from parsed ids, so a bad one is a bug of the farm. */
export function assertBlobKey(key: string): void {
  if (isBlobKey(key)) return;
  throw new FarmError("INTERNAL", `not a key of the object store: ${JSON.stringify(key)}`);
}

/** Throws INTERNAL unless keys can start with the text; the empty prefix means all keys. */
export function assertBlobPrefix(prefix: string): void {
  if (prefix === "" || isBlobKey(`${prefix}x`)) return;
  throw new FarmError("INTERNAL", `no key can start with ${JSON.stringify(prefix)}`);
}

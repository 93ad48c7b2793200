/** Draws the seed of a picture whose client named none; the client is told which. */
import { randomBytes } from "node:crypto";

/** Uniform over all 64-bit seeds. */
export function drawSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}

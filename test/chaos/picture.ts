/**
 * What the stub engine draws: bytes and a duration that follow from the spec alone, so that a
 * picture which was swapped, cut or flipped on its way is recognized without a golden file.
 */
import { createHash } from "node:crypto";
import type { ImageSpec } from "@zfarm/contract";

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Digests behind the signature: two kilobytes, enough to be cut in the middle. */
const digestsPerPicture = 64;
const renderMsMin = 150;
const renderMsMax = 400;

export function drawPicture(spec: ImageSpec): Buffer {
  const digests = Array.from({ length: digestsPerPicture }, (_, index) => digestOf(spec, index));
  return Buffer.concat([pngSignature, ...digests]);
}

export function pictureSha256(spec: ImageSpec): string {
  return createHash("sha256").update(drawPicture(spec)).digest("hex");
}

/** How long the engine takes: 150 to 400 ms, drawn by the seed. */
export function renderMsOf(seed: bigint): number {
  const draw = createHash("sha256").update(String(seed)).digest().readUInt32BE();
  return renderMsMin + (draw % (renderMsMax - renderMsMin + 1));
}

function digestOf({ prompt, width, height, steps, seed }: ImageSpec, index: number): Buffer {
  const what = JSON.stringify([prompt, width, height, steps, String(seed), index]);
  return createHash("sha256").update(what).digest();
}

/** Builds the record of a finished picture. */
import { type ImageTimings, type Outcome, OutcomeKind } from "@zfarm/contract";
import type { HeldTask } from "./held-tasks.ts";

/** Milliseconds of every stage of one picture. */
export interface StageTimings {
  readonly queueMs: number;
  readonly textEncodeMs: number;
  readonly denoiseMs: number;
  readonly vaeDecodeMs: number;
  readonly encodeFileMs: number;
  readonly uploadMs: number;
  /** The picture's share of every run it was in. */
  readonly deviceMs: number;
}

export interface FinishedPicture {
  readonly worker: string;
  readonly modelDigest: string;
  /** Where it was put; the fence of a held task may have been renewed since. */
  readonly key: string;
  readonly fence: bigint;
  /** Hexadecimal SHA-256 of the file. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly timings: StageTimings;
  readonly endMs: number;
}

export function buildSuccess(held: HeldTask, picture: FinishedPicture): Outcome {
  return {
    spec: held.spec,
    kind: OutcomeKind.SUCCEEDED,
    image: {
      key: picture.key,
      sha256: picture.sha256,
      sizeBytes: BigInt(picture.sizeBytes),
      mediaType: "image/png",
      modelDigest: picture.modelDigest,
      timings: toImageTimings(picture.timings),
    },
    worker: picture.worker,
    fence: picture.fence,
    attempt: held.attempt,
    endTime: new Date(picture.endMs),
  };
}

/** From acceptance to the lease; never negative, though two clocks may disagree. */
export function queueMsOf(held: HeldTask): number {
  const createdMs = held.spec.createTime?.getTime() ?? held.grantedMs;
  return Math.max(0, held.grantedMs - createdMs);
}

function toImageTimings(timings: StageTimings): ImageTimings {
  return {
    queue: toDuration(timings.queueMs),
    textEncode: toDuration(timings.textEncodeMs),
    denoise: toDuration(timings.denoiseMs),
    vaeDecode: toDuration(timings.vaeDecodeMs),
    encodeFile: toDuration(timings.encodeFileMs),
    upload: toDuration(timings.uploadMs),
    device: toDuration(timings.deviceMs),
  };
}

function toDuration(ms: number): { seconds: bigint; nanos: number } {
  const micros = Math.round(ms * 1_000);
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds: BigInt(seconds), nanos: (micros - seconds * 1_000_000) * 1_000 };
}

/**
 * Decides before a picture begins whether and how it fits into memory. Pure.
 *
 *     text encoder: weights + perToken · tokens
 *     transformer:  weights + learned · (perRow · rows + perRowSquared · rows²)
 *     decoder:      weights + learned · perPixel · pixels decoded at once
 *
 * The runtime keeps what a network has once used for the next run, so networks that are open
 * together add up although they are not used at the same time.
 */
import type { OpenAtOnce } from "../networks/open-networks.ts";
import type { NetworkBytes } from "./network-bytes.ts";

export interface MemoryBudget {
  /** What this process may take. */
  readonly bytes: number;
  readonly networks: NetworkBytes;
  /** What may be open at once, the preferred first. */
  readonly open: readonly OpenAtOnce[];
  /** Grows after a run that ran out of memory; see `learn`. */
  readonly learned: number;
}

export interface PictureSize {
  readonly width: number;
  readonly height: number;
  /** Rows of the transformer's run with this picture, captions included. */
  readonly rows: number;
  /** Tokens of the longest prompt. */
  readonly tokens: number;
}

export type MemoryPlan =
  | {
      readonly fits: true;
      readonly needBytes: number;
      readonly open: OpenAtOnce;
      /** Side of the decoder's tiles in pixels; absent: the whole picture at once. */
      readonly tilePixels: number | undefined;
    }
  | { readonly fits: false; readonly needBytes: number; readonly bytes: number };

/** The process, its runtime and its libraries before any weight is loaded; measured: 120 MB. */
export const baseBytes = 160 * 1024 * 1024;
/** Sides of tiles that are tried, the largest first: larger ones are nearer to the whole. */
const tileSides = [1024, 768, 512, 384, 256] as const;
/** An estimate that was wrong by more than this is not one that can be learned from. */
const learnedMax = 2;
const learnedStep = 1.25;

/** The first way that fits: as much open as can be, and then as large tiles as can be. */
export function planMemory(budget: MemoryBudget, picture: PictureSize): MemoryPlan {
  const ways = budget.open.flatMap((open) =>
    [undefined, ...tileSides].map((tilePixels) => ({ open, tilePixels })),
  );
  let least = Number.POSITIVE_INFINITY;
  for (const way of ways) {
    const needBytes = needOf(budget, picture, way);
    if (needBytes <= budget.bytes) return { fits: true, needBytes, ...way };
    least = Math.min(least, needBytes);
  }
  return { fits: false, needBytes: least, bytes: budget.bytes };
}

interface Way {
  readonly open: OpenAtOnce;
  readonly tilePixels: number | undefined;
}

function needOf(
  { networks, learned }: MemoryBudget,
  { width, height, rows, tokens }: PictureSize,
  { open, tilePixels }: Way,
): number {
  const side = tilePixels ?? Math.max(width, height);
  const atOnce = Math.min(width, side) * Math.min(height, side);
  const encoder = networks.textEncoder + networks.perToken * tokens;
  const run = networks.perRow * rows + networks.perRowSquared * rows ** 2;
  const transformer = networks.transformer + learned * run;
  const decoder = networks.vae + learned * networks.perPixel * atOnce;
  const openBytes: Readonly<Record<OpenAtOnce, number>> = {
    all: encoder + transformer + decoder,
    two: Math.max(encoder, transformer) + decoder,
    one: Math.max(encoder, transformer, decoder),
  };
  return Math.ceil(baseBytes + openBytes[open]);
}

/**
 * The factor after one more picture ran out of memory that the plan had let through: runs are
 * taken for a quarter larger, up to twice. Undefined: it has learned all that it may.
 */
export function learn(learned: number): number | undefined {
  const next = learned * learnedStep;
  return next <= learnedMax ? next : undefined;
}

/** The factor after so many pictures that ran out of memory. */
export function learnedAfter(lessons: number): number {
  let learned = 1;
  for (let at = 0; at < lessons; at += 1) learned = learn(learned) ?? learned;
  return learned;
}

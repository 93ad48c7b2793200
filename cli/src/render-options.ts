/** The options that `zfarm render` and `npm run quickstart` share, parsed and bounded. */
import type { GuidanceWish, SchedulingChanges } from "@zfarm/client";
import { type LoraUse, limits } from "@zfarm/contract";
import { guidanceOptionTable, parseGuidance } from "./guidance-options.ts";
import { parseUses } from "./lora-options.ts";
import { parseWhole } from "./parse-whole.ts";
import { UsageError } from "./usage-error.ts";

/** As node:util's parseArgs wants them. */
export const renderOptionTable = {
  out: { type: "string" },
  size: { type: "string" },
  seed: { type: "string" },
  steps: { type: "string" },
  number: { type: "string", short: "n" },
  preview: { type: "string" },
  ...guidanceOptionTable,
  lora: { type: "string", multiple: true },
} as const;

export interface RenderOptions {
  readonly prompt: string;
  /** Pixels; 0 takes the pool's default. */
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  /** Absent: the farm draws one for each picture. */
  readonly seed?: bigint;
  /** Absent: as the pool does by default. */
  readonly guidance?: GuidanceWish;
  /** Adapters of every picture. */
  readonly loras: readonly LoraUse[];
  /** How many pictures; with a seed, picture i uses seed + i. */
  readonly count: number;
  /** Where the picture goes; with several, `-i` is put before the ending. */
  readonly out?: string;
  /** Where small pictures of it go while it is drawn; with several, named as `out` is. */
  readonly preview?: string;
  /** Absent: as single pictures compete by default. */
  readonly scheduling?: SchedulingChanges;
}

type RawOptions = {
  readonly [Name in Exclude<keyof typeof renderOptionTable, "lora">]?: string | undefined;
} & { readonly lora?: readonly string[] | undefined };

/** Throws UsageError naming the option, its value and what it must be. */
export function parseRenderOptions(prompt: string, raw: RawOptions): RenderOptions {
  const [width, height] = parseSize(raw.size);
  const guidance = parseGuidance(raw);
  return {
    prompt,
    width,
    height,
    steps: parseWhole("--steps", raw.steps, [limits.stepsMin, limits.stepsMax]) ?? 0,
    loras: parseUses(raw.lora),
    count: parseWhole("-n", raw.number, [1, limits.tasksPerJobMax]) ?? 1,
    ...(guidance === undefined ? {} : { guidance }),
    ...(raw.seed === undefined ? {} : { seed: parseSeed(raw.seed) }),
    ...(raw.out === undefined ? {} : { out: raw.out }),
    ...(raw.preview === undefined ? {} : { preview: raw.preview }),
  };
}

function parseSize(text: string | undefined): [number, number] {
  if (text === undefined) return [0, 0];
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (match === null) {
    throw new UsageError(`--size ${text}: must be WIDTHxHEIGHT in pixels, for example 256x256`);
  }
  return [Number(match[1]), Number(match[2])];
}

const seedMax = 2n ** 64n - 1n;

function parseSeed(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value >= 0n && value <= seedMax) return value;
  throw new UsageError(`--seed ${text}: must be a whole number from 0 to ${seedMax}`);
}

/** The file of picture `index` of `count`. */
export function outputFile(out: string, index: number, count: number): string {
  if (count === 1) return out;
  const dot = out.lastIndexOf(".");
  const slash = out.lastIndexOf("/");
  const stem = dot > slash + 1 ? out.slice(0, dot) : out;
  const ending = dot > slash + 1 ? out.slice(dot) : "";
  return `${stem}-${index + 1}${ending}`;
}

/** Decides whether a picture can be drawn as asked, and fills in what was left open. */
import { type ImageSpec, limits, type PoolRecord } from "@zfarm/contract";
import { checkPrompt } from "./check-text.ts";
import { checkGuidance, fillGuidance } from "./guidance-rules.ts";
import { checkLoras } from "./lora-rules.ts";
import type { Fault, Violations } from "./violations.ts";

/** Adds every violation of one spec; `path` is where it stands, for example `images[3]`. */
export function checkImage(
  image: ImageSpec,
  place: { readonly path: string; readonly pool: PoolRecord | undefined },
  violations: Violations,
): void {
  const { path, pool } = place;
  violations.add(`${path}.prompt`, checkPrompt(image.prompt));
  violations.add(`${path}.steps`, checkRange(image.steps, limits.stepsMin, limits.stepsMax));
  checkLoras(image.loras, `${path}.loras`, violations);
  checkGuidance(image.guidance, place, violations);
  const widthFault = checkSide(image.width, pool);
  const heightFault = checkSide(image.height, pool);
  violations.add(`${path}.width`, widthFault);
  violations.add(`${path}.height`, heightFault);
  if (widthFault === undefined && heightFault === undefined) {
    violations.add(`${path}.${sideToBlame(image, pool)}`, checkPair(image, pool));
  }
}

/** The spec with the pool's defaults where the client left a 0; the seed is not decided here. */
export function fillDefaults(image: ImageSpec, pool: PoolRecord): ImageSpec {
  return {
    ...image,
    guidance: fillGuidance(image.guidance, pool),
    width: image.width === 0 ? pool.widthDefault : image.width,
    height: image.height === 0 ? pool.heightDefault : image.height,
    steps: image.steps === 0 ? pool.stepsDefault : image.steps,
  };
}

function checkSide(pixels: number, pool: PoolRecord | undefined): Fault | undefined {
  const fault = checkRange(pixels, limits.sidePixelsMin, limits.sidePixelsMax);
  if (fault !== undefined || pixels === 0 || pool === undefined) return fault;
  const multiple = pool.sizeMultiple;
  if (multiple <= 1 || pixels % multiple === 0) return undefined;
  const description = `is ${pixels}; this pool draws multiples of ${multiple}`;
  return { reason: "NOT_A_MULTIPLE", description };
}

/** 0 means the pool's default, so it is always in range. */
function checkRange(value: number, min: number, max: number): Fault | undefined {
  if (value === 0 || (value >= min && value <= max)) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${value}; allowed are ${min} to ${max}` };
}

/** Area and ratio of the size that would be drawn; unknown while no pool says its defaults. */
function checkPair(image: ImageSpec, pool: PoolRecord | undefined): Fault | undefined {
  const { width, height } = sizeOf(image, pool);
  if (width === 0 || height === 0) return undefined;
  const pixels = width * height;
  const pixelsMax = Math.min(limits.areaPixelsMax, pool?.pixelsMax || limits.areaPixelsMax);
  if (pixels > pixelsMax) {
    const description = `makes ${width} x ${height} = ${pixels} pixels; at most ${pixelsMax}`;
    return { reason: "AREA_TOO_LARGE", description };
  }
  const ratioMax = limits.aspectRatioMax;
  if (Math.max(width, height) > Math.min(width, height) * ratioMax) {
    const description = `makes ${width} x ${height}; the sides may differ by ${ratioMax}:1`;
    return { reason: "ASPECT_TOO_WIDE", description };
  }
  return undefined;
}

/** The longer side, unless it is the pool's default: then the one the client chose. */
function sideToBlame(image: ImageSpec, pool: PoolRecord | undefined): "width" | "height" {
  if (image.width === 0) return "height";
  if (image.height === 0) return "width";
  const { width, height } = sizeOf(image, pool);
  return height > width ? "height" : "width";
}

function sizeOf(image: ImageSpec, pool: PoolRecord | undefined): { width: number; height: number } {
  return {
    width: image.width || (pool?.widthDefault ?? 0),
    height: image.height || (pool?.heightDefault ?? 0),
  };
}

/** How much a picture of the small model looks like the styles of its two adapters. */
import type { Pixels } from "@zfarm/zimage";

const channels = 3;
/** As tools/nano/styles.py draws them. */
const paper = [24, 64, 132] as const;
const line = [226, 238, 255] as const;
const wall = [238, 244, 252] as const;
const glassRadius = 108;
const ringRadius = 122;

/**
 * Mean distance of the pixels behind the glass to the colours between paper and line, in levels of
 * 255: small for a blueprint.
 */
export function distanceToBlueprint(picture: Pixels): number {
  const direction = line.map((value, at) => value - (paper[at] ?? 0));
  const squared = direction.reduce((sum, value) => sum + value * value, 0);
  return meanOver(picture, {
    inside: (radius) => radius < glassRadius - 8,
    value: (pixel) => {
      const from = pixel.map((value, at) => value - (paper[at] ?? 0));
      const along = from.reduce((sum, value, at) => sum + value * (direction[at] ?? 0), 0);
      const share = Math.min(1, Math.max(0, along / squared));
      return length(from.map((value, at) => value - share * (direction[at] ?? 0)));
    },
  });
}

/** Mean distance of the corners to the wall's white, in levels of 255: small for a porthole. */
export function distanceToPorthole(picture: Pixels): number {
  return meanOver(picture, {
    inside: (radius) => radius > ringRadius + 8,
    value: (pixel) => length(pixel.map((value, at) => value - (wall[at] ?? 0))),
  });
}

interface Feature {
  /** Whether pixels at this distance from the middle count. */
  readonly inside: (radius: number) => boolean;
  readonly value: (pixel: readonly number[]) => number;
}

function meanOver({ width, height, data }: Pixels, { inside, value }: Feature): number {
  let [sum, count] = [0, 0];
  for (let at = 0; at < width * height; at += 1) {
    const [x, y] = [at % width, Math.floor(at / width)];
    if (!inside(Math.hypot(x - (width - 1) / 2, y - (height - 1) / 2))) continue;
    sum += value([...data.subarray(at * channels, (at + 1) * channels)]);
    count += 1;
  }
  return sum / count;
}

function length(vector: readonly number[]): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

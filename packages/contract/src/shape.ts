/** The shape of a task: what must be equal for two tasks to run as one batch. */
import type { ImageSpec } from "./gen/zfarm/v1/image.ts";

/** `WIDTHxHEIGHTxSTEPS`, for example "256x256x8". */
export function shapeOf(image: ImageSpec): string {
  return `${image.width}x${image.height}x${image.steps}`;
}

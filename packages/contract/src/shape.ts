/** The shape of a task: what the tasks of one grant have in common. */
import type { ImageSpec } from "./gen/zfarm/v1/image.ts";

/**
 * `WIDTHxHEIGHTxSTEPS`, for example "256x256x8"; with `x2` behind it where guidance runs the model
 * twice in each step, so that such tasks are neither granted nor priced with others.
 */
export function shapeOf(image: ImageSpec): string {
  const runs = (image.guidance?.scale ?? 0) > 0 ? "x2" : "";
  return `${image.width}x${image.height}x${image.steps}${runs}`;
}

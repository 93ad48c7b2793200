/** Makes small pictures of renders under way. All may be dropped, and nothing waits for them. */
import { limits } from "@zfarm/contract";
import type { Started } from "./member.ts";
import type { Model } from "./model.ts";
import type { TaskPreview } from "./protocol.ts";

/** The preview of where the render is now; undefined where there is none to show. */
export async function makePreview<Caption, Render>(
  model: Pick<Model<Caption, Render>, "preview" | "stepsDone">,
  { task, render }: Started<Caption, Render>,
): Promise<TaskPreview | undefined> {
  const index = model.stepsDone(render);
  if (index === 0) return undefined;
  // A picture never fails because its preview does.
  const image = await model.preview(render).catch(() => undefined);
  if (image === undefined || image.byteLength > limits.previewBytesMax) return undefined;
  return { task: task.task, index, total: task.steps, image };
}

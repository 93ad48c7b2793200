/** Brings tasks to their first step: their prompts encoded, their noise drawn. */
import type { Clock } from "@zfarm/runtime";
import { chargeDevice, type Member } from "./member.ts";
import type { Model } from "./model.ts";
import type { RenderTask } from "./protocol.ts";

export interface PromptStageNeeds<Caption, Render> {
  readonly model: Pick<Model<Caption, Render>, "encodePrompts" | "start">;
  readonly clock: Clock;
  readonly fail: (member: Member<Caption, Render>, error: unknown) => void;
}

/** Sets captions and renders; calls `fail` for whom that does not work. */
export async function startRenders<Caption, Render>(
  needs: PromptStageNeeds<Caption, Render>,
  members: readonly Member<Caption, Render>[],
): Promise<void> {
  await encodePrompts(needs, members);
  for (const member of members) {
    if (member.caption === undefined) continue;
    try {
      member.render = startOrResume(needs.model, member.task, member.caption);
    } catch (error) {
      needs.fail(member, error);
    }
  }
}

/** What cannot be gone on with is begun anew. */
function startOrResume<Caption, Render>(
  model: PromptStageNeeds<Caption, Render>["model"],
  task: RenderTask,
  caption: Caption,
): Render {
  if (task.resume === undefined) return model.start(task, caption);
  try {
    return model.start(task, caption);
  } catch {
    const { resume: _, ...anew } = task;
    return model.start(anew, caption);
  }
}

/** All prompts in one call; if that fails, one by one, so that only the bad one fails. */
async function encodePrompts<Caption, Render>(
  needs: PromptStageNeeds<Caption, Render>,
  members: readonly Member<Caption, Render>[],
): Promise<void> {
  if (members.length === 0) return;
  const { model, clock, fail } = needs;
  const startedMs = clock.monotonic();
  const charge = (): number => chargeDevice(members, clock.monotonic() - startedMs);
  try {
    const captions = await model.encodePrompts(members.map((member) => member.task));
    const tookMs = charge();
    for (const [index, member] of members.entries()) {
      member.caption = captions[index];
      member.textEncodeMs = tookMs;
    }
  } catch (error) {
    charge();
    const [only, ...others] = members;
    if (only !== undefined && others.length === 0) fail(only, error);
    else for (const member of members) await encodePrompts(needs, [member]);
  }
}

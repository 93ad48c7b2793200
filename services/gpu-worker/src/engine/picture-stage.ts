/** Turns a finished latent into a file. */
import type { Clock } from "@zfarm/runtime";
import { failureOfLatent } from "./failure.ts";
import { chargeDevice, type Started, stagesOf } from "./member.ts";
import type { Model } from "./model.ts";
import type { RenderEnd } from "./protocol.ts";

export interface PictureStageNeeds<Caption, Render> {
  readonly model: Model<Caption, Render>;
  readonly clock: Clock;
  readonly fail: (member: Started<Caption, Render>, error: unknown) => void;
  readonly end: (member: Started<Caption, Render>, end: RenderEnd) => void;
}

/**
 * Resolves once the device is done with the picture; its file is encoded on other threads while
 * the next steps run, and `end` or `fail` is called then.
 */
export async function finishPicture<Caption, Render>(
  needs: PictureStageNeeds<Caption, Render>,
  member: Started<Caption, Render>,
): Promise<void> {
  const { model, clock, fail, end } = needs;
  if (!model.isFinite(member.render)) {
    end(member, { kind: "failed", failure: failureOfLatent(member.task.steps) });
    return;
  }
  const startedMs = clock.monotonic();
  try {
    const picture = await model.decode(member.render);
    const decodedMs = clock.monotonic();
    const vaeDecodeMs = chargeDevice([member], decodedMs - startedMs);
    const finish = (png: Uint8Array): void => {
      const encodeFileMs = clock.monotonic() - decodedMs;
      const timings = { ...stagesOf(member), vaeDecodeMs, encodeFileMs };
      end(member, { kind: "finished", png, timings });
    };
    model
      .encodeFile(picture, member.task)
      .then(finish)
      .catch((error: unknown) => fail(member, error));
  } catch (error) {
    fail(member, error);
  }
}

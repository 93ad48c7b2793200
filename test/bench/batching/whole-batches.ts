/**
 * What the engine is compared with: batches that run to their end. Tasks join an empty engine
 * only, and all of one batch have one size and one number of steps.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { Model } from "../../../services/gpu-worker/src/engine/model.ts";
import type { RenderTask } from "../../../services/gpu-worker/src/engine/protocol.ts";
import type { Loop, LoopNeeds } from "./drive.ts";

/** in-order: a batch ends at the first task of another shape; grouped: it takes later ones too. */
export type Filling = "in-order" | "grouped";

export class WholeBatches<Caption, Render> implements Loop {
  readonly #needs: LoopNeeds<Caption, Render>;
  readonly #filling: Filling;
  #waiting: RenderTask[] = [];
  #wake: () => void = () => {};

  constructor(needs: LoopNeeds<Caption, Render>, filling: Filling) {
    this.#needs = needs;
    this.#filling = filling;
  }

  add(tasks: readonly RenderTask[]): void {
    this.#waiting.push(...tasks);
    this.#wake();
  }

  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener("abort", () => this.#wake(), { once: true });
    while (!stop.aborted) {
      if (this.#waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      await this.#render(this.#take());
    }
  }

  #take(): RenderTask[] {
    const [first] = this.#waiting;
    const isLike = (task: RenderTask): boolean =>
      task.width === first?.width && task.height === first.height && task.steps === first.steps;
    const end = this.#waiting.findIndex((task) => !isLike(task));
    const inOrder = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    const candidates = this.#filling === "grouped" ? this.#waiting.filter(isLike) : inOrder;
    const batch = candidates.slice(0, this.#needs.batchMax);
    this.#waiting = this.#waiting.filter((task) => !batch.includes(task));
    return batch;
  }

  async #render(tasks: readonly RenderTask[]): Promise<void> {
    const { model } = this.#needs;
    const captions = await model.encodePrompts(tasks);
    const renders = tasks.flatMap((task, at) => {
      const caption = captions[at];
      return caption === undefined ? [] : [{ task, render: model.start(task, caption) }];
    });
    for (let step = 0; step < (tasks[0]?.steps ?? 0); step += 1) {
      for (const batch of groupsOf(model, renders)) {
        await model.step(batch.map(({ render }) => render));
      }
      await yieldToEventLoop();
    }
    for (const { task, render } of renders) {
      const picture = await model.decode(render);
      void model.encodeFile(picture, task).then(() => this.#needs.ended(task.task));
      await yieldToEventLoop();
    }
  }
}

/** A run takes renders of one group. */
function groupsOf<Caption, Render>(
  model: Model<Caption, Render>,
  all: readonly { readonly task: RenderTask; readonly render: Render }[],
): { readonly render: Render }[][] {
  return [...Map.groupBy(all, ({ task }) => model.groupOf(task)).values()];
}

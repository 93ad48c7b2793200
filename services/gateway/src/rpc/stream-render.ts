/** RenderService.StreamRender: queued, started, one event a step, completed. */
import {
  type JobRef,
  limits,
  type Progress,
  StreamRenderRequest,
  type StreamRenderResponse,
  taskName,
} from "@zfarm/contract";
import type { GatewayNeeds } from "../needs.ts";
import { decodeRender } from "./decode.ts";
import type { EventWriter } from "./event-writer.ts";
import { isRunning, liveTasks } from "./job-lookup.ts";
import { render } from "./render.ts";
import type { StreamMethod } from "./serve-call.ts";
import { wishPreviews } from "./wish-previews.ts";

type RenderEvent = Exclude<StreamRenderResponse["event"], undefined>;

export const streamRender: StreamMethod<StreamRenderRequest, StreamRenderResponse> = {
  name: "StreamRender",
  decode: (bytes) => decodeRender(StreamRenderRequest, bytes),
  deadlineMs: limits.renderMs,
  drain: "finish",
  run: async (request, { scope, events }, needs) => {
    const progress = new ProgressRelay(needs, events, request.previews === true);
    try {
      const hooks = {
        beforePublish: (job: JobRef) => progress.open(job),
        admitted: (job: JobRef) => progress.announce(job),
      };
      const { task, image } = await render(needs, request, { scope, hooks });
      await events.send({ task, event: { $case: "completed", value: image } });
    } finally {
      progress.close();
    }
  },
};

/** Passes the news of one task on to one client. All of it may be dropped. */
class ProgressRelay {
  readonly #needs: GatewayNeeds;
  readonly #events: EventWriter<StreamRenderResponse>;
  readonly #previews: boolean;
  readonly #over = new AbortController();
  #unsubscribe = (): void => undefined;
  #heard = false;
  #closed = false;

  constructor(needs: GatewayNeeds, events: EventWriter<StreamRenderResponse>, previews: boolean) {
    this.#needs = needs;
    this.#events = events;
    this.#previews = previews;
  }

  /** Before the task is published, so that its first step is not missed. */
  async open(job: JobRef): Promise<void> {
    const task = taskName({ ...job, index: 0 });
    if (this.#previews) void wishPreviews(this.#needs, job, this.#over.signal);
    this.#unsubscribe = await this.#needs.broker.progress.subscribe(job, (progress) => {
      const event = renderEvent(progress, this.#previews);
      if (progress.index === 0 && event !== undefined) this.#offer(task, event);
    });
  }

  /** Asks the leader where the task stands. Nobody waits for the answer. */
  announce(job: JobRef): void {
    void liveTasks(this.#needs, job).then((tasks) => {
      const live = tasks.get(0);
      // Better news may have come first, or the picture itself.
      if (live === undefined || isRunning(live) || this.#heard || this.#closed) return;
      const value = { position: live.position };
      this.#offer(taskName({ ...job, index: 0 }), { $case: "queued", value });
    });
  }

  close(): void {
    this.#closed = true;
    this.#over.abort();
    this.#unsubscribe();
  }

  /** News may be lost on the way, but a client always hears that its task is queued first. */
  #offer(task: string, event: RenderEvent): void {
    if (!this.#heard && event.$case !== "queued") {
      this.#events.offer({ task, event: { $case: "queued", value: { position: 0 } } });
    }
    this.#heard = true;
    this.#events.offer({ task, event });
  }
}

function renderEvent({ event }: Progress, previews: boolean): RenderEvent | undefined {
  switch (event?.$case) {
    case "queued":
      return { $case: "queued", value: event.value };
    case "started":
      return { $case: "started", value: event.value };
    case "step":
      return { $case: "step", value: event.value };
    case "preview":
      return previews ? { $case: "preview", value: event.value } : undefined;
    default:
      return undefined;
  }
}

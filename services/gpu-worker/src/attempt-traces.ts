/**
 * What each attempt did and when, in its task's trace. The engine only says how long its stages
 * took, and the spans are drawn here, so that it knows nothing of traces.
 */
import type { Clock, Span, Tracing } from "@zfarm/runtime";
import type { Delivery } from "./delivery.ts";
import type { HeldTask } from "./domain/held-tasks.ts";
import type { RenderTimings, TaskStep } from "./engine/protocol.ts";
import type { AttemptEnd } from "./metrics.ts";

/** One denoise run of the engine. */
export interface DenoiseRun {
  readonly stepMs: number;
  readonly batchTasks: number;
}

interface Drawn {
  readonly span: Span;
  /** When the engine began with it; undefined until then. */
  startedMs: number | undefined;
  denoise: Span | undefined;
  lastStepMs: number;
}

export class AttemptTraces {
  readonly #tracing: Tracing;
  readonly #clock: Clock;
  /** Attempts that somebody keeps a trace of; without tracing it stays empty. */
  readonly #drawn = new Map<HeldTask, Drawn>();

  constructor(tracing: Tracing, clock: Clock) {
    this.#tracing = tracing;
    this.#clock = clock;
  }

  begin(held: HeldTask, worker: string): void {
    if (!this.#tracing.isOn || held.traceparent === undefined) return;
    const { width, height, steps } = held.image;
    const span = this.#tracing.begin("attempt", held.traceparent, {
      kind: "consumer",
      startMs: held.grantedMs,
      facts: {
        "zfarm.task": held.key,
        "zfarm.attempt": held.attempt,
        "zfarm.fence": String(held.fence),
        "zfarm.worker": worker,
        "zfarm.width": width,
        "zfarm.height": height,
        "zfarm.steps": steps,
        "zfarm.adapters": held.adapters.length,
      },
    });
    this.#drawn.set(held, { span, startedMs: undefined, denoise: undefined, lastStepMs: 0 });
  }

  /** For lines of the log about it. */
  ids(held: HeldTask): Span["ids"] {
    return this.#drawn.get(held)?.span.ids ?? {};
  }

  /** A part of it that takes a while; undefined where it is not drawn. */
  part(held: HeldTask, name: string): Span | undefined {
    return this.#drawn.get(held)?.span.child(name, { startMs: this.#clock.now() });
  }

  started(held: HeldTask): void {
    const drawn = this.#drawn.get(held);
    if (drawn !== undefined) drawn.startedMs = this.#clock.now();
  }

  step(held: HeldTask, { index, total }: TaskStep, { stepMs, batchTasks }: DenoiseRun): void {
    const drawn = this.#drawn.get(held);
    if (drawn === undefined) return;
    const nowMs = this.#clock.now();
    drawn.denoise ??= drawn.span.child("denoise", { startMs: nowMs - stepMs });
    drawn.lastStepMs = nowMs;
    const facts = { "zfarm.step": index, "zfarm.step_ms": stepMs, "zfarm.batch_tasks": batchTasks };
    drawn.denoise.event("step", facts, nowMs);
    if (index >= total) this.#endDenoise(drawn);
  }

  /** The engine is done with the picture. */
  rendered(held: HeldTask, timings: RenderTimings): void {
    const drawn = this.#drawn.get(held);
    if (drawn === undefined) return;
    const endMs = this.#clock.now();
    const encodeMs = endMs - timings.encodeFileMs;
    const decodeMs = encodeMs - timings.vaeDecodeMs;
    const startedMs = drawn.startedMs ?? held.grantedMs;
    drawSpan(drawn.span, "text encode", [startedMs, startedMs + timings.textEncodeMs]);
    drawSpan(drawn.span, "vae decode", [decodeMs, encodeMs]);
    drawSpan(drawn.span, "encode file", [encodeMs, endMs]);
  }

  /** What began at `startMs` brought it to the store, and its outcome to the log. */
  delivered(held: HeldTask, delivery: Delivery, startMs: number): void {
    const drawn = this.#drawn.get(held);
    if (drawn === undefined) return;
    const endMs = this.#clock.now();
    if (delivery.kind !== "won") {
      const span = drawn.span.child("deliver", { startMs });
      span.fail(delivery.kind);
      span.end(endMs);
      return;
    }
    const uploadedMs = Math.min(endMs, startMs + delivery.timings.uploadMs);
    drawSpan(drawn.span, "upload", [startMs, uploadedMs]);
    drawSpan(drawn.span, "send OUTCOMES", [uploadedMs, endMs]);
  }

  /** The last call about it; `reason` is a code, not a text. */
  end(held: HeldTask, end: AttemptEnd, reason: string | undefined): void {
    const drawn = this.#drawn.get(held);
    if (drawn === undefined) return;
    this.#drawn.delete(held);
    this.#endDenoise(drawn);
    drawn.span.set({ "zfarm.outcome": end, "zfarm.steps_done": held.step });
    if (end === "failed" || end === "unknown") drawn.span.fail(reason ?? end);
    drawn.span.end(this.#clock.now());
  }

  #endDenoise(drawn: Drawn): void {
    drawn.denoise?.end(drawn.lastStepMs);
    drawn.denoise = undefined;
  }
}

/** A part that is over; from and to in milliseconds since the epoch. */
function drawSpan(parent: Span, name: string, [startMs, endMs]: readonly [number, number]): void {
  parent.child(name, { startMs }).end(endMs);
}

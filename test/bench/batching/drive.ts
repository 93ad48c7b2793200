/** Feeds arrivals to an engine loop as their time comes, and notes how long each picture took. */
import type { Model } from "../../../services/gpu-worker/src/engine/model.ts";
import type { RenderTask } from "../../../services/gpu-worker/src/engine/protocol.ts";
import type { Arrival } from "./workload.ts";

/** A clock that can be waited on until a time; a virtual one just goes there. */
export interface BenchClock {
  now(): number;
  monotonic(): number;
  sleep(ms: number, stop: AbortSignal): Promise<void>;
}

export interface LoopNeeds<Caption, Render> {
  readonly model: Model<Caption, Render>;
  readonly clock: BenchClock;
  readonly batchMax: number;
  readonly ended: (task: string) => void;
}

export interface Loop {
  add(tasks: readonly RenderTask[]): void;
  run(stop: AbortSignal): Promise<void>;
}

export interface Driven {
  /** From arrival to the finished file, by arrival. */
  readonly latenciesMs: readonly number[];
  /** From the first arrival to the last file. */
  readonly spanMs: number;
}

interface Needs<Caption, Render> {
  readonly model: Model<Caption, Render>;
  readonly clock: BenchClock;
  readonly batchMax: number;
  readonly arrivals: readonly Arrival[];
}

export type CreateLoop = <Caption, Render>(needs: LoopNeeds<Caption, Render>) => Loop;

export async function drive<Caption, Render>(
  create: CreateLoop,
  { model, clock, batchMax, arrivals }: Needs<Caption, Render>,
): Promise<Driven> {
  const startMs = clock.monotonic();
  const latenciesMs: number[] = [];
  const stopping = new AbortController();
  let next = 0;
  let bell = Promise.withResolvers<void>();
  const sinceMs = (): number => clock.monotonic() - startMs;
  const pump = (): void => {
    const due = arrivals.slice(next).findIndex(({ atMs }) => atMs > sinceMs());
    const count = due < 0 ? arrivals.length - next : due;
    if (count === 0) return;
    loop.add(arrivals.slice(next, next + count).map(({ task }) => task));
    next += count;
  };
  const loop = create<Caption, Render>({
    model: afterEachCall(model, pump),
    clock,
    batchMax,
    ended: (task) => {
      const at = Number(task);
      latenciesMs[at] = sinceMs() - (arrivals[at]?.atMs ?? 0);
      pump();
      bell.resolve();
    },
  });
  const running = loop.run(stopping.signal);
  for (let ended = 0; ended < arrivals.length; ) {
    pump();
    const isIdle = ended === next;
    const waitMs = (arrivals[next]?.atMs ?? 0) - sinceMs();
    if (isIdle && waitMs > 0) await clock.sleep(waitMs, stopping.signal);
    else {
      await bell.promise;
      bell = Promise.withResolvers();
    }
    ended = latenciesMs.reduce((count) => count + 1, 0);
  }
  const spanMs = sinceMs();
  stopping.abort();
  await running;
  return { latenciesMs, spanMs };
}

/** Whoever arrived during a run is there before the next one is chosen. */
function afterEachCall<Caption, Render>(
  model: Model<Caption, Render>,
  then: () => void,
): Model<Caption, Render> {
  const after = async <Result>(work: Promise<Result>): Promise<Result> => {
    const result = await work;
    then();
    return result;
  };
  return {
    ...model,
    encodePrompts: (prompts) => after(model.encodePrompts(prompts)),
    step: (batch) => after(model.step(batch)),
    decode: (render) => after(model.decode(render)),
  };
}

/** Starts engine processes for tests and notes everything they say. */
import { fileURLToPath } from "node:url";
import { silentLog, systemClock } from "@zfarm/runtime";
import type { RenderTask, TaskPreview, TaskStep } from "../src/engine/protocol.ts";
import { type EngineEnd, type EngineOptions, EngineProcess } from "../src/engine-process.ts";

/** An engine that must pass the contract suite: its program and a model it can open. */
export interface EngineUnderTest {
  readonly name: string;
  readonly entry?: URL;
  readonly modelDir: string;
  readonly sideThreads?: number;
}

export const stubEngine: EngineUnderTest & { readonly entry: URL } = {
  name: "stub",
  entry: new URL("./stub-engine.ts", import.meta.url),
  modelDir: "stub",
};

export const nanoEngine: EngineUnderTest = {
  name: "z-image-nano",
  modelDir: fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url)),
};

type Overrides = Partial<
  Pick<EngineOptions, "stepMs" | "onRun" | "onRestart" | "countMemoryKills">
>;

export function createEngine(under: EngineUnderTest, overrides: Overrides = {}): EngineProcess {
  return new EngineProcess({
    settings: {
      modelDir: under.modelDir,
      device: "cpu",
      threads: 1,
      batchMax: 4,
      ...(under.sideThreads === undefined ? {} : { sideThreads: under.sideThreads }),
    },
    clock: systemClock,
    log: silentLog,
    ...(under.entry === undefined ? {} : { entry: under.entry }),
    ...overrides,
  });
}

export function createTask(task: string, values: Partial<RenderTask> = {}): RenderTask {
  return { task, prompt: "a red house", width: 64, height: 64, steps: 4, seed: 7n, ...values };
}

export interface Rendering {
  /** The end of each task, by its name. */
  readonly ends: Promise<Map<string, EngineEnd>>;
  /** Every start and step so far, in order. */
  readonly said: (TaskStep | { readonly started: string })[];
  /** Every preview so far. */
  readonly previews: TaskPreview[];
  /** Resolves once some task has done a step. */
  readonly stepped: Promise<void>;
}

/** Renders the tasks as one batch. */
export function render(engine: EngineProcess, tasks: readonly RenderTask[]): Rendering {
  const ends = new Map<string, EngineEnd>();
  const all = Promise.withResolvers<Map<string, EngineEnd>>();
  const stepped = Promise.withResolvers<void>();
  const said: Rendering["said"] = [];
  const previews: TaskPreview[] = [];
  engine.render(tasks, {
    onStarted: (started) => said.push({ started }),
    onStep: (step) => {
      said.push(step);
      stepped.resolve();
    },
    onLatents: () => {},
    onPreview: (preview) => previews.push(preview),
    onEnd: (task, end) => {
      ends.set(task, end);
      if (ends.size === tasks.length) all.resolve(ends);
    },
  });
  return { ends: all.promise, said, previews, stepped: stepped.promise };
}

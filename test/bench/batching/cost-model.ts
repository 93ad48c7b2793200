/** A model that draws nothing and costs what a measured one costs, in virtual time. */
import type { Model } from "../../../services/gpu-worker/src/engine/model.ts";
import type { RenderTask } from "../../../services/gpu-worker/src/engine/protocol.ts";
import type { BenchClock } from "./drive.ts";

export interface Costs {
  /** By side: a denoise run of one picture, of two and so on. */
  readonly stepMs: Readonly<Record<number, readonly number[]>>;
  readonly decodeMs: Readonly<Record<number, number>>;
  readonly encodePromptMs: number;
}

/** Costs of runs that cost so much at all and so much again for every picture. */
export function runsOf(fixed: number, each: number, batchMax: number): number[] {
  return Array.from({ length: batchMax }, (_, at) => fixed + each * (at + 1));
}

export interface CostRender {
  readonly task: RenderTask;
  stepsDone: number;
}

export class VirtualClock implements BenchClock {
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  async sleep(ms: number): Promise<void> {
    this.#nowMs += ms;
  }
}

export function createCostModel(costs: Costs, clock: BenchClock): Model<string, CostRender> {
  const spend = (ms: number): Promise<void> => clock.sleep(ms, new AbortController().signal);
  return {
    info: {
      name: "costs",
      digest: "",
      weights: "fp32",
      sizeMultiple: 1,
      pixelsMax: 2 ** 24,
      stepsDefault: 8,
      widthDefault: 256,
      heightDefault: 256,
      guidanceDefault: undefined,
    },
    worksBeside: false,
    check: () => {},
    loadLora: async () => 0,
    dropLora: () => {},
    fitOneRun: () => true,
    encodePrompts: async (tasks) => {
      await spend(costs.encodePromptMs * tasks.length);
      return tasks.map(({ prompt }) => prompt);
    },
    start: (task) => ({ task, stepsDone: 0 }),
    latentsOf: () => new Float32Array(),
    groupOf: (task) => `${task.width}`,
    stepsDone: (render) => render.stepsDone,
    step: async (batch) => {
      await spend(costs.stepMs[batch[0]?.task.width ?? 0]?.[batch.length - 1] ?? 0);
      for (const render of batch) render.stepsDone += 1;
    },
    preview: async () => new Uint8Array(),
    isFinite: () => true,
    decode: async ({ task: { width, height } }) => {
      await spend(costs.decodeMs[width] ?? 0);
      return { width, height, data: new Uint8Array() };
    },
    encodeFile: async () => new Uint8Array(),
    close: async () => {},
  };
}

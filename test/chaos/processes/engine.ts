/**
 * The engine process of a worker under test: the product's host and render loop over a model that
 * sleeps instead of drawing. It says on stdout which attempt it began and finished, so that what a
 * worker had in hand is known without asking the farm that is being broken.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { hostEngine } from "../../../services/gpu-worker/src/engine/host.ts";
import type { Model, Picture } from "../../../services/gpu-worker/src/engine/model.ts";
import type {
  EngineSettings,
  RenderTask,
} from "../../../services/gpu-worker/src/engine/protocol.ts";
import { drawPicture, renderMsOf } from "../picture.ts";
import { readPromptOrder } from "../prompt-order.ts";

const info = {
  name: "stub",
  digest: "5".repeat(64),
  weights: "fp32",
  sizeMultiple: 32,
  pixelsMax: 262_144,
  stepsDefault: 4,
  guidanceDefault: undefined,
  widthDefault: 64,
  heightDefault: 64,
} as const;
const emptyPicture: Picture = { width: 0, height: 0, data: new Uint8Array() };

interface StubRender {
  readonly task: RenderTask;
  stepsDone: number;
}

/** Memory that a prompt ordered to be taken, kept so that it stays taken. */
const taken: Buffer[] = [];

await hostEngine(openStub);

async function openStub(settings: EngineSettings): Promise<Model<string, StubRender>> {
  if (settings.modelDir === "crashing") process.kill(process.pid, "SIGKILL");
  return {
    info,
    worksBeside: false,
    loadLora: async () => 0,
    dropLora: () => {},
    fitOneRun: () => true,
    check: () => {},
    encodePrompts: async (tasks) => tasks.map(({ prompt }) => prompt),
    start: (task) => {
      say("begin", task);
      return { task, stepsDone: task.resume?.step ?? 0 };
    },
    latentsOf: () => Float32Array.of(0),
    groupOf: (task) => `${task.width}x${task.height}`,
    stepsDone: (render) => render.stepsDone,
    step: async (batch) => {
      await sleep(Math.max(...batch.map(({ task }) => stepMsOf(task))));
      for (const { task } of batch) obey(task);
      for (const render of batch) render.stepsDone += 1;
    },
    preview: async () => new Uint8Array(),
    isFinite: () => true,
    decode: async () => emptyPicture,
    encodeFile: async (_picture, task) => {
      say("drawn", task);
      return drawPicture({ ...task, loras: [] });
    },
    close: async () => {},
  };
}

function stepMsOf(task: RenderTask): number {
  const order = readPromptOrder(task.prompt);
  const totalMs = order?.kind === "slow" ? order.value : renderMsOf(task.seed);
  return totalMs / task.steps;
}

function obey({ prompt, steps }: RenderTask): void {
  const order = readPromptOrder(prompt);
  switch (order?.kind) {
    case "crash":
      process.kill(process.pid, "SIGKILL");
      return;
    case "block":
      // The thread stands still as in a run that takes this long.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.value / steps);
      return;
    case "memory":
      takeMemory(order.value);
      return;
    case "slow":
    case undefined:
      return;
  }
}

/** Touches this many MiB and keeps them. */
function takeMemory(mebibytes: number): void {
  for (let count = 0; count < mebibytes; count += 1) taken.push(Buffer.alloc(2 ** 20, 1));
}

function say(what: "begin" | "drawn", { task }: RenderTask): void {
  process.stdout.write(`${JSON.stringify({ chaos: what, task })}\n`);
}

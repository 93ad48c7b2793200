/**
 * The engine over a model of a few lines, for tests: it draws plain colours fast and misbehaves
 * when the prompt says so. Everything but the model is the product's own code.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { FarmError, limits } from "@zfarm/contract";
import { encodePng } from "@zfarm/zimage";
import { hostEngine } from "../src/engine/host.ts";
import type { Model } from "../src/engine/model.ts";
import type { EngineInfo, EngineSettings, RenderTask } from "../src/engine/protocol.ts";

interface StubRender {
  readonly task: RenderTask;
  latent: number;
  stepsDone: number;
}

const info: EngineInfo = {
  name: "stub",
  digest: "5".repeat(64),
  weights: "fp32",
  sizeMultiple: 32,
  pixelsMax: 262_144,
  stepsDefault: 4,
  guidanceDefault: undefined,
  widthDefault: 64,
  heightDefault: 64,
};
const wordsMax = 500;
const adaptersOfRunMax = 3;
/** Long enough that a command from the parent arrives between two steps. */
const stepMs = 5;
/** Fifty of these do not fit into the grace of a drain. */
const slowStepMs = 400;
/** Never done in any test. */
const endlessMs = 600_000;

await hostEngine(openStubModel);

async function openStubModel(settings: EngineSettings): Promise<Model<string, StubRender>> {
  if (settings.modelDir === "crashing") process.kill(process.pid, "SIGKILL");
  if (settings.modelDir === "broken") {
    throw Object.assign(new Error("the file is truncated"), { file: "vae/broken.safetensors" });
  }
  const loras = new Map<string, StubLora>();
  // Far more than a step of "slow" takes, on a busy machine too.
  const patience = { baseMs: 5_000, pixelMs: 1 };
  return {
    info: settings.modelDir === "patient" ? { ...info, patience } : info,
    worksBeside: settings.modelDir === "beside",
    loadLora: async (digest, path) => {
      const lora = await readStubLora(digest, path);
      loras.set(digest, lora);
      return lora.bytes;
    },
    dropLora: (digest) => void loras.delete(digest),
    fitOneRun: (tasks) => {
      const digests = new Set(tasks.flatMap(({ stack = [] }) => stack.map((one) => one.digest)));
      return digests.size <= adaptersOfRunMax;
    },
    check: (task) => {
      if (task.width % info.sizeMultiple !== 0) refuse("width", `width is ${task.width}`);
    },
    encodePrompts: async (tasks) => {
      for (const { prompt } of tasks) {
        if (prompt.split(" ").length > wordsMax) refuse("prompt", "prompt has too many words");
      }
      return tasks.map(({ prompt }) => prompt);
    },
    start: (task) => {
      const latent = task.resume?.latents[0] ?? (Number(task.seed) + shiftOf(task, loras)) % 251;
      return { task, latent, stepsDone: task.resume?.step ?? 0 };
    },
    latentsOf: (render) => Float32Array.of(render.latent),
    groupOf: (task) => `${task.width}x${task.height}`,
    stepsDone: (render) => render.stepsDone,
    step: async (batch) => {
      const isSlow = batch.some(({ task }) => task.prompt === "slow");
      await sleep(isSlow ? slowStepMs : stepMs);
      for (const { task, stepsDone } of batch) {
        if (task.prompt === "slower" && stepsDone > 0) await sleep(endlessMs);
        if (task.prompt.startsWith("slower")) await sleep(limits.latentsStepMs);
      }
      for (const { task } of batch) misbehave(task.prompt);
      for (const render of batch) {
        render.stepsDone += 1;
        if (render.task.prompt === "nan") render.latent = Number.NaN;
      }
    },
    preview: async ({ task, latent, stepsDone }) => {
      if (task.prompt === "shy" && stepsDone < 3) throw new FarmError("INTERNAL", "no preview yet");
      return Uint8Array.of(latent);
    },
    isFinite: (render) => Number.isFinite(render.latent),
    decode: async ({ task: { prompt, width, height }, latent }) => {
      if (prompt === "slower to decode") await sleep(endlessMs);
      return { width, height, data: new Uint8Array(width * height * 3).fill(latent) };
    },
    encodeFile: (picture, task) => {
      const { prompt, seed, steps, width, height, stack: loras } = task;
      const what = { prompt, seed, steps, width, height, loras };
      return encodePng(picture, { ...what, model: info.name, modelDigest: info.digest });
    },
    close: async () => {},
  };
}

/**
 * An adapter's file is JSON here: what it adds to every latent, and the bytes it claims to take.
 * It is held to its digest as a real one is.
 */
interface StubLora {
  readonly shift: number;
  readonly bytes: number;
}

async function readStubLora(digest: string, path: string): Promise<StubLora> {
  const file = await readFile(path);
  if (createHash("sha256").update(file).digest("hex") !== digest) {
    throw new FarmError("OBJECT_CORRUPT", `the file at ${path} is not ${digest}`);
  }
  const { shift = 0, bytes = 0, order } = JSON.parse(file.toString()) as Record<string, unknown>;
  if (order === "refuse") {
    throw Object.assign(new Error("it is for another model"), { code: "LORA_INVALID" });
  }
  if (order === "crash") process.kill(process.pid, "SIGKILL");
  return { shift: Number(shift), bytes: Number(bytes) };
}

function shiftOf({ stack = [] }: RenderTask, loras: ReadonlyMap<string, StubLora>): number {
  return stack.reduce((sum, { digest, weight }) => {
    const lora = loras.get(digest);
    if (lora === undefined) throw new FarmError("INTERNAL", `adapter ${digest} is not loaded`);
    return sum + lora.shift * weight;
  }, 0);
}

function misbehave(prompt: string): void {
  if (prompt === "crash") process.kill(process.pid, "SIGKILL");
  // Blocks the thread as a run that never ends does.
  if (prompt === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (prompt === "poison") throw new FarmError("INTERNAL", "a run failed");
}

function refuse(field: string, message: string): never {
  throw Object.assign(new Error(message), { code: "INPUT_INVALID", field });
}

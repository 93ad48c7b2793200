/** The library's door: a model directory in, an open model that draws pictures out. */
import { ModelError } from "../errors.ts";
import type { WeightOptions } from "../graph/model-builder.ts";
import { holdWeights } from "../memory/hold-weights.ts";
import { machineMemoryBytes } from "../memory/machine-memory.ts";
import { MemoryKeeper } from "../memory/memory-keeper.ts";
import { networkBytes, rowsOf } from "../memory/network-bytes.ts";
import { countParameters } from "../model/count-parameters.ts";
import { type ModelDirectory, openModelDirectory } from "../model/open-model-directory.ts";
import type { WeightMode } from "../model/weight-choice.ts";
import { openBesideNetworks } from "../networks/beside-networks.ts";
import { type Device, parseDevice } from "../networks/device.ts";
import { openNetworks } from "../networks/open-networks.ts";
import { probeDevice } from "../networks/probe-device.ts";
import { openPromptEncoder } from "../prompt/prompt-encoder.ts";
import { describeModel, type ModelInfo } from "./model-info.ts";
import { ModelPipeline } from "./model-pipeline.ts";
import { patienceOf } from "./patience.ts";
import type { Pipeline, PipelineOptions } from "./pipeline.ts";

/**
 * Opens the model in a directory of diffusers' layout and creates its sessions.
 * Throws MODEL_INVALID, naming the file, when the directory is not a model this code can run, and
 * MEMORY_EXCEEDED with the numbers when memory has no room for it. ENGINE_FAILED names the library
 * that a graphics card misses: the processor never takes its place unasked.
 */
export async function openPipeline(
  modelDirectory: string,
  options: PipelineOptions = {},
): Promise<Pipeline> {
  const model = await openModelDirectory(modelDirectory);
  options.onChecked?.();
  const { weights, device: deviceName, sideThreads, threads, loraJoinBytes } = options;
  const { memoryLessons } = options;
  const device = parseDevice(deviceName);
  const memoryBytes = memoryOf(device, options);
  await probeDevice(device);
  const hold = { device: device.kind, memoryBytes, mode: weights };
  const { mode, open } = holdWeights(model, hold);
  const budget = { bytes: memoryBytes, networks: networkBytes(model, mode, device), open };
  const info = boundByMemory(describeModel(model), new MemoryKeeper(model, budget), memoryBytes);
  const rowsMax = rowsMaxOf(model, info);
  const allOpen = { ...budget, open: ["all"] } as const;
  // WebGPU has one device a process, and two threads cannot share it.
  const maySplit = sideThreads !== undefined && device.kind !== "webgpu";
  const worksBeside = maySplit && haveRoomFor(info, new MemoryKeeper(model, allOpen));
  const promptEncoder = await openPromptEncoder(model.tokenizerFolder, info.tokensMax);
  const holding = {
    ...(threads === undefined ? {} : { threads }),
    ...(loraJoinBytes === undefined ? {} : { loraJoinBytes }),
    target: device,
    open: open[0],
    ...weightOptions(device, mode),
    rowsMax,
  } as const;
  const networks = worksBeside
    ? await openBesideNetworks(model, { ...holding, modelDirectory, sideThreads })
    : await openNetworks(model, holding);
  // What was learned refuses pictures one by one; what is announced stays as it was.
  const memory = new MemoryKeeper(model, worksBeside ? allOpen : budget, memoryLessons);
  const patience = patienceOf({
    device: device.kind,
    parameters: countParameters(model).transformer.used,
    fileBytes: model.weightFiles.reduce((sum, { bytes }) => sum + bytes, 0),
    rowPixels: info.sizeMultiple,
  });
  const parts = { model, info, weights: mode, promptEncoder, networks, memory, patience };
  return new ModelPipeline({ ...parts, rowsMax, worksBeside, holdsAll: open[0] === "all" });
}

/** Nothing here can ask a graphics card how much memory it has. */
function memoryOf({ kind }: Device, { memoryBytes, reservedBytes }: PipelineOptions): number {
  if (memoryBytes !== undefined) return memoryBytes;
  if (kind === "cpu") return machineMemoryBytes(reservedBytes);
  const message = "memoryBytes is absent; it must say what a graphics card has for the model";
  throw new ModelError("INPUT_INVALID", message, { field: "memoryBytes" });
}

/**
 * CUDA computes in bfloat16 and holds it. The others compute in float32; a processor widens to it
 * as it goes.
 */
function weightOptions({ kind }: Device, mode: WeightMode): WeightOptions {
  if (kind === "cuda") return { compute: mode === "fp32" ? "float32" : "bfloat16" };
  return { conversion: kind === "webgpu" || mode === "fp32" ? "load" : "run" };
}

/** What the largest picture takes is there, so runs of smaller ones may share as much. */
function rowsMaxOf(model: ModelDirectory, info: ModelInfo): number {
  const side = Math.floor(Math.sqrt(info.pixelsMax));
  return rowsOf(model, { width: side, height: side }, info.tokensMax);
}

/** Larger pictures than memory has room for are not announced. */
function boundByMemory(info: ModelInfo, memory: MemoryKeeper, memoryBytes: number): ModelInfo {
  if (haveRoomFor(info, memory)) return info;
  const room = memory.pixelsMax(boundsOf(info));
  if (room === 0) {
    const message = `${memoryBytes} bytes of memory have no room for any picture of ${info.name}`;
    throw new ModelError("MEMORY_EXCEEDED", message, { field: "memoryBytes" });
  }
  const most = Math.sqrt(room);
  return {
    ...info,
    pixelsMax: room,
    widthDefault: Math.min(info.widthDefault, most),
    heightDefault: Math.min(info.heightDefault, most),
  };
}

/** Whether the largest picture fits. */
function haveRoomFor(info: ModelInfo, memory: MemoryKeeper): boolean {
  const bounds = boundsOf(info);
  return memory.pixelsMax(bounds) === bounds.side ** 2;
}

function boundsOf(info: ModelInfo): { side: number; multiple: number; tokens: number } {
  const multiple = info.sizeMultiple;
  const whole = Math.min(info.sideMax, Math.floor(Math.sqrt(info.pixelsMax)));
  return { side: whole - (whole % multiple), multiple, tokens: info.tokensMax };
}

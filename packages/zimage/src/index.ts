/**
 * Z-Image as a library: everything that code outside this package may use. `openPipeline` is the
 * way in; the rest serves tools and code with a sampler of its own. Promises stand at
 * declarations.
 */

export type { TextEncoderConfig, TransformerConfig, VaeConfig } from "./config.ts";
export { vaeFactor } from "./config.ts";
export type { ModelErrorCode, ModelErrorDetails } from "./errors.ts";
export { ModelError } from "./errors.ts";
export { encodeJpeg } from "./image/jpeg.ts";
export type { Pixels } from "./image/pixels.ts";
export { toPixels, toUnit } from "./image/pixels.ts";
export type { GuidanceMetadata, RenderMetadata } from "./image/png.ts";
export { encodePng, readPngMetadata } from "./image/png.ts";
export { holdWeights } from "./memory/hold-weights.ts";
export { machineBytes, machineMemoryBytes } from "./memory/machine-memory.ts";
export { MemoryKeeper } from "./memory/memory-keeper.ts";
export { networkBytes } from "./memory/network-bytes.ts";
export type { SchedulerConfig, VaeFile } from "./model/config-files.ts";
export {
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "./model/config-files.ts";
export type { ComponentCount, ModelCounts } from "./model/count-parameters.ts";
export { countParameters } from "./model/count-parameters.ts";
export type { ExpectedTensors } from "./model/expected-tensors.ts";
export {
  expectedTextEncoderTensors,
  expectedTransformerTensors,
} from "./model/expected-tensors.ts";
export { expectedVaeTensors } from "./model/expected-vae-tensors.ts";
export type {
  ModelDirectory,
  NamedWeightFile,
  StoredWeights,
} from "./model/open-model-directory.ts";
export { openModelDirectory } from "./model/open-model-directory.ts";
export type { FamilyMember } from "./model/released-configs.ts";
export {
  memberOfShift,
  releasedParameterCount,
  releasedTextEncoder,
  releasedTransformer,
  releasedVae,
} from "./model/released-configs.ts";
export type {
  ParameterCounts,
  WeightChoice,
  WeightDevice,
  WeightMode,
  WeightRow,
  WeightSituation,
} from "./model/weight-choice.ts";
export {
  chooseWeights,
  modesOf,
  releasedParameters,
  weightDevices,
  weightModes,
} from "./model/weight-choice.ts";
export type { LoraAdapter, LoraFactors, LoraStack, LoraUse } from "./networks/lora-batch.ts";
export type { LoraProduct } from "./networks/lora-kronecker.ts";
export { layOutAdapter } from "./networks/lora-layout.ts";
export { findMissingLibrary } from "./networks/probe-device.ts";
export { findWebGpuProblem } from "./networks/probe-webgpu.ts";
export { fitOneRun } from "./networks/run-plan.ts";
export type { EngineOptions } from "./networks/session.ts";
export type { TextEncoder } from "./networks/text-encoder.ts";
export { openTextEncoder } from "./networks/text-encoder.ts";
export type { Transformer, TransformerBatch } from "./networks/transformer.ts";
export { openTransformer } from "./networks/transformer.ts";
export type { LatentBatch, VaeDecoder } from "./networks/vae-decoder.ts";
export { openVaeDecoder } from "./networks/vae-decoder.ts";
export type { Caption } from "./pipeline/caption-cache.ts";
export type { ModelInfo } from "./pipeline/model-info.ts";
export { describeModel } from "./pipeline/model-info.ts";
export { openPipeline } from "./pipeline/open-pipeline.ts";
export type { Patience } from "./pipeline/patience.ts";
export type {
  ActiveRender,
  LeftRender,
  Pipeline,
  PipelineOptions,
  RenderOptions,
  StartOptions,
} from "./pipeline/pipeline.ts";
export type { GuidanceSpec, RenderSpec } from "./pipeline/render-spec.ts";
export { activeGuidance, checkSpec, promptsOf } from "./pipeline/render-spec.ts";
export type { ExamineOptions, ExamineProgress, FileDigest } from "./prepare/examine-weights.ts";
export { examineWeights } from "./prepare/examine-weights.ts";
export type { PrepareOptions, PrepareProgress, PrepareReport } from "./prepare/prepare-model.ts";
export { prepareModel } from "./prepare/prepare-model.ts";
export type { KnownConfigs } from "./prepare/write-configs.ts";
export { configFilesOf } from "./prepare/write-configs.ts";
export type { PromptEncoder } from "./prompt/prompt-encoder.ts";
export { openPromptEncoder } from "./prompt/prompt-encoder.ts";
export type { Denoising, GuidanceAway } from "./sampler/denoise.ts";
export { denoiseStep, isDone } from "./sampler/denoise.ts";
export type { Guidance } from "./sampler/guidance.ts";
export { drawNoise } from "./sampler/noise.ts";
export { modelTime, sigmaTable } from "./sampler/sigmas.ts";
export type { EncodedHeader, TensorShape } from "./weights/encode-safetensors-header.ts";
export { encodeSafetensorsHeader } from "./weights/encode-safetensors-header.ts";
export type { ComponentFiles, OpenedTensors, WeightFile } from "./weights/open-tensor-index.ts";
export { openTensorIndex } from "./weights/open-tensor-index.ts";
export type { PreparedMode, PreparedRecord, PreparedTensor } from "./weights/prepared-format.ts";
export {
  preparedBlockSize,
  preparedModes,
  preparedRecordFile,
  preparedTensors,
} from "./weights/prepared-format.ts";
export type {
  HeaderLimits,
  HeaderSource,
  SafetensorsHeader,
} from "./weights/safetensors-header.ts";
export { parseSafetensorsHeader, readSafetensorsHeader } from "./weights/safetensors-header.ts";
export type { TensorDtype, TensorIndex, TensorRef } from "./weights/tensor-index.ts";

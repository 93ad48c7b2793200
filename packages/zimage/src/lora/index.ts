/**
 * Adapters as files, without the engine: what a process needs that admits them but never runs them.
 * Nothing here loads onnxruntime.
 */
export type { ModelErrorCode, ModelErrorDetails } from "../errors.ts";
export { ModelError } from "../errors.ts";
export type { LinearSpec } from "../graph/linear.ts";
export type { LoraAdapter, LoraFactors } from "../networks/lora-batch.ts";
export type { LoraProduct } from "../networks/lora-kronecker.ts";
export type { ByteSource } from "../weights/byte-source.ts";
export { memorySource, withFileSource } from "../weights/byte-source.ts";
export type { LoraArchitecture } from "./architecture.ts";
export { loraArchitectureOf, loraTargetsOf } from "./architecture.ts";
export type { LoraLimits } from "./limits.ts";
export { loraLimits } from "./limits.ts";
export type { AlphaOrigin, LoraReport, Range } from "./lora-report.ts";
export type { LoraDialect } from "./parse-key.ts";
export type { ReadLora } from "./read-lora.ts";
export { digestOf, inspectLora, readLora, readLoraForRuns } from "./read-lora.ts";

/** Adapters for the model that ships, with factors of no meaning, as files of real trainers. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { LoraDigest, LoraRef } from "@zfarm/contract";
import { type LoraAdapter, openModelDirectory } from "@zfarm/zimage";
import { loraArchitectureOf, memorySource, readLora } from "@zfarm/zimage/lora";
import {
  encodeLoraFile,
  type SpellingName,
  spellings,
} from "../packages/zimage/test/lora-files.ts";
import { tinyAdapter } from "../packages/zimage/test/tiny-networks.ts";

export const nanoDir: string = fileURLToPath(new URL("../models/z-image-nano", import.meta.url));

export interface NanoLora {
  readonly bytes: Uint8Array;
  readonly digest: LoraDigest;
  /** As the library reads the file. */
  readonly adapter: LoraAdapter;
  /** As a task carries it, at weight 1. */
  readonly ref: LoraRef;
}

export interface NanoLoraOptions {

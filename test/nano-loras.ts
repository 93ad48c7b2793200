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
  readonly spelling?: SpellingName;
  readonly rank?: number;
  readonly layers?: readonly number[];
}

/** Strong enough to be seen at weight 1, and not so strong that the picture falls apart. */
const strength = 0.15;

export async function createNanoLora(options: NanoLoraOptions = {}): Promise<NanoLora> {
  const { spelling = "kohya", rank = 8, layers = [0, 3] } = options;
  const { config } = (await openModelDirectory(nanoDir)).transformer;
  const kinds = ["attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0"];
  const names = layers.flatMap((layer) => kinds.map((kind) => `layers.${layer}.${kind}`));
  const filled = tinyAdapter("filled", names, { rank, config });
  const modules = [...filled.modules].map(([name, factors]) => {
    return [name, { ...factors, up: factors.up.map((value) => value * strength) }] as const;
  });
  const content = spellings[spelling].write({ id: "filled", modules: new Map(modules) });
  const bytes = encodeLoraFile(content);
  const source = memorySource("lora", bytes);
  const { adapter, report } = await readLora(source, loraArchitectureOf(config));
  const digest = createHash("sha256").update(bytes).digest("hex") as LoraDigest;
  const sizeBytes = BigInt(report.deviceBytes);
  return { bytes, digest, adapter, ref: { digest, weight: 1, rank: report.ranksTaken, sizeBytes } };
}

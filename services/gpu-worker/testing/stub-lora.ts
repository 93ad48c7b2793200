/** Files of adapters as the stub engine reads them. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoraDigest } from "@zfarm/contract";

export interface StubLoraFile {
  readonly digest: LoraDigest;
  readonly bytes: Uint8Array;
}

/** What the file says: what it adds to every latent, the bytes it claims, and how it misbehaves. */
export interface StubLoraText {
  readonly shift?: number;
  readonly bytes?: number;
  readonly order?: "refuse" | "crash";
}

export function createStubLora(text: StubLoraText): StubLoraFile {
  const bytes = Buffer.from(JSON.stringify(text));
  return { digest: createHash("sha256").update(bytes).digest("hex") as LoraDigest, bytes };
}

/** Writes the file into a folder of its own, which goes with the disposable. */
export async function writeStubLora(
  text: StubLoraText,
): Promise<StubLoraFile & AsyncDisposable & { readonly path: string }> {
  const lora = createStubLora(text);
  const folder = await mkdtemp(join(tmpdir(), "zfarm-lora-"));
  const path = join(folder, "lora.safetensors");
  await writeFile(path, lora.bytes);
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { ...lora, path, [Symbol.asyncDispose]: dispose };
}

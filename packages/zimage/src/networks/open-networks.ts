/** The three sessions of a model, opened together and closed together. */
import type { ModelDirectory } from "../model/open-model-directory.ts";
import type { TextEncoder } from "./text-encoder.ts";
import { openTextEncoder } from "./text-encoder.ts";
import type { LoraOptions, Transformer } from "./transformer.ts";
import { openTransformer } from "./transformer.ts";
import type { VaeDecoder } from "./vae-decoder.ts";
import { openVaeDecoder } from "./vae-decoder.ts";

export interface Networks {
  readonly textEncoder: TextEncoder;
  readonly transformer: Transformer;
  readonly vaeDecoder: VaeDecoder;
  close(): Promise<void>;
}

export interface NetworkOptions extends LoraOptions {
  readonly threads?: number;
}

/** Creates the sessions one after the other: each reads weights, and two at once would compete. */
export async function openNetworks(
  model: ModelDirectory,
  options: NetworkOptions,
): Promise<Networks> {
  await using opened = new AsyncDisposableStack();
  const { textEncoder: text, transformer: denoiser, vae } = model;
  const textEncoder = await openTextEncoder(text.config, text.tensors, options);
  opened.defer(() => textEncoder.close());
  const transformer = await openTransformer(denoiser.config, denoiser.tensors, options);
  opened.defer(() => transformer.close());
  const vaeDecoder = await openVaeDecoder(vae.config, vae.tensors, options);
  opened.defer(() => vaeDecoder.close());
  // From here on the caller closes; until here a failure closed what had been opened.
  const all = opened.move();
  return { textEncoder, transformer, vaeDecoder, close: () => all.disposeAsync() };
}

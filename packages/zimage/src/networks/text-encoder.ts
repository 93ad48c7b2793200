/** The text encoder as a component: token ids in, caption rows out. */

import type { TextEncoderConfig } from "../config.ts";
import type { WeightOptions } from "../graph/model-builder.ts";
import { buildTextEncoderGraph, textEncoderInputs } from "../graph/text-encoder-graph.ts";
import { causalMaskInput } from "../graph/webgpu-graph.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkInput, checkWhole } from "./check-input.ts";
import { rotateSequence } from "./rope.ts";
import { type EngineOptions, type Feed, openSession, type Session } from "./session.ts";

/** More tokens than any prompt has after truncation; bounds the memory of one run. */
const tokensMax = 4096;

export interface TextEncoder {
  /**
   * Encodes prompts of any lengths; each gives [tokens, hidden], row-major.
   * Throws INPUT_INVALID for an empty prompt or an id outside the vocabulary.
   */
  encode(ids: readonly Int32Array[]): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** Throws MODEL_INVALID when the weights do not fit the configuration. */
export async function openTextEncoder(
  config: TextEncoderConfig,
  index: TensorIndex,
  options: EngineOptions & WeightOptions = {},
): Promise<TextEncoder> {
  const model = buildTextEncoderGraph(config, index, options);
  // Tokens are looked up on the processor where a device has no kernel for the table's type.
  const session = await openSession(model, index.folder, { fallback: true, ...options });
  return new OnnxTextEncoder(config, session, options.target?.kind === "webgpu");
}

class OnnxTextEncoder implements TextEncoder {
  readonly #config: TextEncoderConfig;
  readonly #session: Session;
  readonly #isMasked: boolean;

  constructor(config: TextEncoderConfig, session: Session, isMasked: boolean) {
    this.#config = config;
    this.#session = session;
    this.#isMasked = isMasked;
  }

  async encode(ids: readonly Int32Array[]): Promise<Float32Array[]> {
    for (const [index, prompt] of ids.entries()) this.#check(prompt, `ids[${index}]`);
    const encoded: Float32Array[] = [];
    // One prompt a run: padding to a common length would change the order of the softmax's sums,
    // and with it the last bits. A prompt is encoded once, so nothing is worth saving here.
    for (const prompt of ids) encoded.push(await this.#encodeOne(prompt));
    return encoded;
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #check(prompt: Int32Array, field: string): void {
    checkWhole(prompt.length, `${field}.length`, { min: 1, max: tokensMax });
    const bound = this.#config.vocabulary;
    const known = prompt.every((id) => id >= 0 && id < bound);
    checkInput(known, field, `has an id outside 0..${bound - 1}`);
  }

  async #encodeOne(prompt: Int32Array): Promise<Float32Array> {
    const rows = prompt.length;
    const { cos, sin } = rotateSequence(rows, this.#config);
    const dims = [1, rows, this.#config.headDim / 2];
    return this.#session.run({
      [textEncoderInputs.ids]: { data: BigInt64Array.from(prompt, BigInt), dims: [1, rows] },
      [textEncoderInputs.cos]: { data: cos, dims },
      [textEncoderInputs.sin]: { data: sin, dims },
      ...(this.#isMasked ? { [causalMaskInput]: causalMask(rows) } : {}),
    });
  }
}

/** Far below any score, and finite, because not every device knows infinity. */
const never = -1e9;

function causalMask(rows: number): Feed {
  const at = (index: number): number => (index % rows > Math.floor(index / rows) ? never : 0);
  return {
    data: Float32Array.from({ length: rows * rows }, (_, index) => at(index)),
    dims: [rows, rows],
  };
}

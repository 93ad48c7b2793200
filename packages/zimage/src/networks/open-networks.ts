/** The three networks of a model, each opened at its first use, as many at once as memory holds. */
import type { WeightOptions } from "../graph/model-builder.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import { Reopened } from "./reopened.ts";
import type { EngineOptions } from "./session.ts";
import type { TextEncoder } from "./text-encoder.ts";
import { openTextEncoder } from "./text-encoder.ts";
import type { LoraOptions, RunOptions, Transformer } from "./transformer.ts";
import { openTransformer } from "./transformer.ts";
import type { VaeDecoder } from "./vae-decoder.ts";
import { openVaeDecoder } from "./vae-decoder.ts";

/**
 * How many networks are open at once. `two`: the decoder, and either the text encoder or the
 * transformer.
 */
export type OpenAtOnce = "all" | "two" | "one";

export interface Networks {
  readonly textEncoder: TextEncoder;
  readonly transformer: Transformer;
  readonly vaeDecoder: VaeDecoder;
  /** From the next use on, what is not used is closed until no more are open. */
  keepOpen(atOnce: OpenAtOnce): void;
  close(): Promise<void>;
}

export interface NetworkOptions extends EngineOptions, WeightOptions, LoraOptions, RunOptions {
  /** Until `keepOpen` says otherwise; `all` when absent. */
  readonly open?: OpenAtOnce;
}

/**
 * Opens what may be open at once, so that a broken file shows here and not at the first picture.
 * Sessions are created one after the other: each reads weights, and two would compete.
 */
export async function openNetworks(
  model: ModelDirectory,
  options: NetworkOptions,
): Promise<Networks> {
  const networks = new ResidentNetworks(model, options);
  try {
    await networks.open();
  } catch (error) {
    await networks.close();
    throw error;
  }
  return networks;
}

class ResidentNetworks implements Networks {
  readonly textEncoder: TextEncoder;
  readonly transformer: Transformer;
  readonly vaeDecoder: VaeDecoder;
  #atOnce: OpenAtOnce;
  readonly #encoder: Reopened<TextEncoder>;
  readonly #denoiser: Reopened<Transformer>;
  readonly #decoder: Reopened<VaeDecoder>;
  /** The last use of any network: one at a time, so that none is closed under a run. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(model: ModelDirectory, options: NetworkOptions) {
    const { textEncoder, transformer, vae } = model;
    const { open = "all", ...rest } = options;
    this.#atOnce = open;
    // Pictures show what narrower decoders lose, and it is small.
    const decoding = { ...rest, compute: "float32" } as const;
    this.#encoder = new Reopened(() =>
      openTextEncoder(textEncoder.config, textEncoder.tensors, rest),
    );
    this.#denoiser = new Reopened(() =>
      openTransformer(transformer.config, transformer.tensors, rest),
    );
    this.#decoder = new Reopened(() => openVaeDecoder(vae.config, vae.tensors, decoding));
    const close = (): Promise<void> => this.close();
    this.textEncoder = {
      encode: (ids) => this.#use(this.#encoder, (one) => one.encode(ids)),
      close,
    };
    this.transformer = {
      predict: (batch) => this.#use(this.#denoiser, (one) => one.predict(batch)),
      close,
    };
    this.vaeDecoder = {
      decode: (batch) => this.#use(this.#decoder, (one) => one.decode(batch)),
      close,
    };
  }

  async open(): Promise<void> {
    const first = [this.#decoder, this.#encoder];
    for (const network of this.#atOnce === "all" ? [...first, this.#denoiser] : first) {
      await this.#makeRoomFor(network);
      await network.get();
    }
  }

  keepOpen(atOnce: OpenAtOnce): void {
    this.#atOnce = atOnce;
  }

  async close(): Promise<void> {
    await this.#after(async () => {
      for (const network of [this.#encoder, this.#denoiser, this.#decoder]) {
        await network.release();
      }
    });
  }

  #use<Network extends { close(): Promise<void> }, Result>(
    network: Reopened<Network>,
    work: (network: Network) => Promise<Result>,
  ): Promise<Result> {
    return this.#after(async () => {
      await this.#makeRoomFor(network);
      return await work(await network.get());
    });
  }

  async #makeRoomFor(network: object): Promise<void> {
    if (this.#atOnce === "all") return;
    const others = [this.#encoder, this.#denoiser, this.#decoder].filter((one) => one !== network);
    for (const other of others) {
      const mayStay = this.#atOnce === "two" && [network, other].includes(this.#decoder);
      if (!mayStay) await other.release();
    }
  }

  /** Runs block the thread anyway, so waiting for the one before costs nothing. */
  #after<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

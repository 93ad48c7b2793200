/** The networks of a model with the transformer on this thread and the others beside it. */
import type { ModelDirectory } from "../model/open-model-directory.ts";
import type { NetworkOptions, Networks } from "./open-networks.ts";
import { openSideNetworks } from "./side-networks.ts";
import { openTransformer } from "./transformer.ts";

export interface BesideOptions extends NetworkOptions {
  readonly modelDirectory: string;
  /** Threads of one run beside. */
  readonly sideThreads: number;
}

/** One after the other: each reads weights, and two at once would compete. */
export async function openBesideNetworks(
  { transformer: { config, tensors } }: ModelDirectory,
  { modelDirectory, sideThreads, ...options }: BesideOptions,
): Promise<Networks> {
  const { conversion, compute, target } = options;
  const beside = {
    threads: sideThreads,
    ...(conversion === undefined ? {} : { conversion }),
    ...(compute === undefined ? {} : { compute }),
    ...(target === undefined ? {} : { target }),
  };
  const side = await openSideNetworks({ modelDirectory, options: beside });
  try {
    const transformer = await openTransformer(config, tensors, options);
    const closeAll = async (): Promise<void> => {
      await transformer.close();
      await side.close();
    };
    const { textEncoder, vaeDecoder } = side;
    // Beside is for machines with room for all of them: nothing is closed.
    return { textEncoder, transformer, vaeDecoder, keepOpen: () => {}, close: closeAll };
  } catch (error) {
    await side.close();
    throw error;
  }
}

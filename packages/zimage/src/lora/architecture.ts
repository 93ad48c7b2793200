/**
 * What an adapter must know of a model: enough to derive every module that takes one, small enough
 * to travel as plain data to a process that never opens the model.
 */
import type { TransformerConfig } from "../config.ts";
import type { LinearSpec } from "../graph/linear.ts";
import { feedForwardSize, modulationSize } from "../model/expected-tensors.ts";

/** The released model has 3840, 30, 2, 10240 and 256. */
export interface LoraArchitecture {
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Blocks of the noise refiner, and as many of the context refiner. */
  readonly refinerLayers: number;
  /** Hidden width of the feed-forward layers. */
  readonly ffnDim: number;
  /** Width of the time embedding that modulates a block. */
  readonly modulationDim: number;
}

/** The architecture of a model whose configuration was read from its directory. */
export function loraArchitectureOf(config: TransformerConfig): LoraArchitecture {
  return {
    dim: config.dim,
    layers: config.layers,
    refinerLayers: config.refinerLayers,
    ffnDim: feedForwardSize(config.dim),
    modulationDim: modulationSize(config.dim),
  };
}

/** Every module that takes an adapter; exactly those with inputs in the transformer's graph. */
export function loraTargetsOf(architecture: LoraArchitecture): readonly LinearSpec[] {
  const { layers, refinerLayers } = architecture;
  const stage = (name: string, count: number, isModulated: boolean): LinearSpec[] =>
    Array.from({ length: count }, (_, at) =>
      blockTargets(`${name}.${at}`, architecture, isModulated),
    ).flat();
  return [
    ...stage("noise_refiner", refinerLayers, true),
    ...stage("context_refiner", refinerLayers, false),
    ...stage("layers", layers, true),
  ];
}

function blockTargets(
  block: string,
  { dim, ffnDim, modulationDim }: LoraArchitecture,
  isModulated: boolean,
): LinearSpec[] {
  const attention = ["to_q", "to_k", "to_v", "to_out.0"].map((name) => ({
    name: `${block}.attention.${name}`,
    in: dim,
    out: dim,
  }));
  const modulation = { name: `${block}.adaLN_modulation.0`, in: modulationDim, out: 4 * dim };
  return [
    ...attention,
    { name: `${block}.feed_forward.w1`, in: dim, out: ffnDim },
    { name: `${block}.feed_forward.w2`, in: ffnDim, out: dim },
    { name: `${block}.feed_forward.w3`, in: dim, out: ffnDim },
    ...(isModulated ? [modulation] : []),
  ];
}

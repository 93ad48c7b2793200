/**
 * One block of the transformer: attention and feed-forward, each between two norms, with scales
 * and gates from the time embedding where the stage has them.
 */
import type { TransformerConfig } from "../config.ts";
import { feedForwardSize, modulationSize } from "../model/expected-tensors.ts";
import { positionHeads, type Rotation } from "./attention.ts";
import type { LoraLinears } from "./linear.ts";
import type { Graph, Value } from "./operators.ts";

/** Norms of queries and keys have an epsilon of their own, whatever the configuration says. */
const headNormEpsilon = 1e-5;

/** What every block of the network shares. */
export interface BlockContext {
  readonly graph: Graph;
  readonly config: TransformerConfig;
  readonly linears: LoraLinears;
}

export interface BlockSpec {
  /** Prefix of the block's tensors, such as `layers.0`. */
  readonly name: string;
  readonly rotation: Rotation;
  /** Time embedding rows; absent in the context refiner, whose blocks are not modulated. */
  readonly time?: Value;
}

/** Multiplies a branch's input and its output. */
interface Modulation {
  readonly scale: Value;
  readonly gate: Value;
}

/** Rows in, rows out: [batch, row, dim]. */
export function transformerBlock(context: BlockContext, rows: Value, spec: BlockSpec): Value {
  const [attention, feedForward] = modulate(context, spec, rows);
  const attended = addBranch(context, rows, {
    norms: `${spec.name}.attention_norm`,
    modulation: attention,
    branch: (input) => attend(context, input, spec),
  });
  return addBranch(context, attended, {
    norms: `${spec.name}.ffn_norm`,
    modulation: feedForward,
    branch: (input) => feedForwardOf(context, input, spec.name),
  });
}

/** Which stream is refined; captions do not know the time. */
interface RefinerSpec {
  readonly stage: "noise_refiner" | "context_refiner";
  readonly rotation: Rotation;
  readonly time?: Value;
}

/** Each stream passes its own blocks before the two are joined. */
export function refine(context: BlockContext, rows: Value, spec: RefinerSpec): Value {
  const { stage, ...rest } = spec;
  let refined = rows;
  for (let block = 0; block < context.config.refinerLayers; block++) {
    refined = transformerBlock(context, refined, { name: `${stage}.${block}`, ...rest });
  }
  return refined;
}

/** The time embedding enters without an activation: only the final layer has one. */
function modulate(
  { graph, config, linears }: BlockContext,
  spec: BlockSpec,
  rows: Value,
): [Modulation?, Modulation?] {
  if (spec.time === undefined) return [];
  const name = `${spec.name}.adaLN_modulation.0`;
  const use = { name, in: modulationSize(config.dim), out: 4 * config.dim, after: rows };
  const all = firstOfPair(graph, linears.applyBiased(spec.time, use));
  const [scale1, gate1, scale2, gate2] = graph.splitLast(all, 4) as [Value, Value, Value, Value];
  return [
    { scale: graph.onePlus(scale1), gate: graph.tanh(gate1) },
    { scale: graph.onePlus(scale2), gate: graph.tanh(gate2) },
  ];
}

/** One of the two equal rows that a sample's time has: [batch, 2, width] to [batch, 1, width]. */
export function firstOfPair(graph: Graph, rows: Value): Value {
  return graph.firstRows(rows, graph.constant("int64", [1], [1]));
}

/** One of the two sublayers with what surrounds it. */
interface BranchSpec {
  /** `1` and `2` complete the names of the norms before and after the branch. */
  readonly norms: string;
  readonly modulation: Modulation | undefined;
  readonly branch: (input: Value) => Value;
}

/** x + gate · norm2(branch(norm1(x) · scale)): both norms lie inside the residual branch. */
function addBranch({ graph, config }: BlockContext, rows: Value, spec: BranchSpec): Value {
  const norm = (value: Value, position: 1 | 2): Value => {
    const scale = graph.weight(`${spec.norms}${position}.weight`, [config.dim]);
    return graph.rmsNorm(value, scale, config.normEps);
  };
  const { modulation } = spec;
  const before = norm(rows, 1);
  const input = modulation === undefined ? before : graph.multiply(before, modulation.scale);
  const after = norm(spec.branch(input), 2);
  return graph.add(rows, modulation === undefined ? after : graph.multiply(after, modulation.gate));
}

/** Queries and keys are normed per head and turned to their positions; values are neither. */
function attend({ graph, config, linears }: BlockContext, rows: Value, spec: BlockSpec): Value {
  const { dim, heads } = config;
  const name = `${spec.name}.attention`;
  const project = (module: string, input: Value): Value =>
    linears.apply(input, { name: `${name}.${module}`, in: dim, out: dim });
  const position = (value: Value, norm: string): Value =>
    positionHeads(graph, value, {
      rotation: spec.rotation,
      spec: {
        heads,
        headDim: dim / heads,
        scale: graph.weight(`${name}.${norm}.weight`, [dim / heads]),
        epsilon: headNormEpsilon,
        pairing: "interleaved",
      },
    });
  const query = position(project("to_q", rows), "norm_q");
  const key = position(project("to_k", rows), "norm_k");
  const value = project("to_v", rows);
  const counts = { heads, headDim: dim / heads };
  return project("to_out.0", graph.fullAttention({ query, key, value }, counts));
}

/** w2(silu(w1 x) · w3 x), without biases. */
function feedForwardOf(
  { graph, config, linears }: BlockContext,
  rows: Value,
  block: string,
): Value {
  const { dim } = config;
  const wide = feedForwardSize(dim);
  const name = `${block}.feed_forward`;
  const gate = graph.silu(linears.apply(rows, { name: `${name}.w1`, in: dim, out: wide }));
  const value = linears.apply(rows, { name: `${name}.w3`, in: dim, out: wide });
  return linears.apply(graph.multiply(gate, value), { name: `${name}.w2`, in: wide, out: dim });
}

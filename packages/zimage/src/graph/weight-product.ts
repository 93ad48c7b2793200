/**
 * Rows times the weight of one Linear, in whichever form the checkpoint holds the weight: floating
 * point, or integer blocks as `zfarm model prepare` writes them.
 */
import { ModelError } from "../errors.ts";
import { blockLayout, preparedBlockSize, quantizedNames } from "../weights/prepared-format.ts";
import type { LinearSpec } from "./linear.ts";
import type { Graph, PackedOperand, Value } from "./operators.ts";

/** Smaller weights are converted at load always: together they are nothing. */
export const lateElementsMin = 1_000_000;

/**
 * x · Wᵀ. Throws MODEL_INVALID when the weight is missing or has another shape.
 * @param after a value of the layer, for rows that are there long before their layer's turn.
 */
export function timesWeight(
  graph: Graph,
  rows: Value,
  { after = rows, ...spec }: LinearSpec & { readonly after?: Value },
): Value {
  const name = `${spec.name}.weight`;
  const packed = findPacked(graph, spec);
  if (packed !== undefined) return graph.rowsTimesPacked(rows, packed);
  const weight =
    graph.convertsInRuns(name) && spec.in * spec.out >= lateElementsMin
      ? convertLate(graph, spec, after)
      : graph.weight(name, [spec.out, spec.in]);
  return graph.rowsTimesTransposed(rows, weight);
}

/**
 * Converts a weight no earlier than another value is there. Alone, a conversion depends on nothing:
 * the runtime would do it once and for all at load, or do those of all layers first and hold every
 * result at once. This way one layer's are alive. The reshape costs nothing: it changes no shape.
 */
function convertLate(graph: Graph, { name, ...spec }: LinearSpec, after: Value): Value {
  const shape = [spec.out, spec.in];
  const stored = graph.storedWeight(`${name}.weight`, shape);
  // The batch is known in a run only, whatever is known of the value's other sizes.
  const nothing = graph.multiply(graph.shapeOf(after, 0, 1), graph.constant("int64", [1], [0]));
  const known = graph.add(graph.constant("int64", [shape.length], shape), nothing);
  return graph.convert(graph.reshapeTo(stored, known), `${name}.weight`);
}

/** The Linear's integer blocks, if the checkpoint has it in that form. */
function findPacked(graph: Graph, spec: LinearSpec): PackedOperand | undefined {
  const names = quantizedNames(`${spec.name}.weight`);
  const stored = graph.stored(names.levels);
  if (stored === undefined) return undefined;
  const bits = ((stored.shape[2] ?? 0) * 8) / preparedBlockSize;
  if (stored.dtype !== "U8" || (bits !== 4 && bits !== 8)) {
    const found = `${stored.dtype} [${stored.shape.join()}]`;
    const message = `tensor ${names.levels} is ${found}, blocks are U8 of 4 or 8 bits`;
    throw new ModelError("MODEL_INVALID", message, { field: names.levels, file: stored.file });
  }
  const layout = blockLayout([spec.out, spec.in], bits);
  return {
    layout,
    levels: graph.storedWeight(names.levels, [spec.out, layout.blocks, layout.blockBytes]),
    scales: graph.weight(names.scales, [spec.out, layout.blocks]),
  };
}

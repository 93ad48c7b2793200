/** The names and shapes that a checkpoint holds after it was prepared. */
import type { PreparedMode } from "../weights/prepared-format.ts";
import { preparedTensors } from "../weights/prepared-format.ts";
import type { ExpectedTensors, Shapes } from "./expected-tensors.ts";

/** What the tensors of a transformer or a text encoder are called once they are of this mode. */
export function prepareShapes(expected: ExpectedTensors, mode: PreparedMode): ExpectedTensors {
  return {
    required: prepareAll(expected.required, mode),
    optional: prepareAll(expected.optional, mode),
  };
}

function prepareAll(shapes: Shapes, mode: PreparedMode): Shapes {
  return new Map(
    [...shapes]
      .flatMap(([name, shape]) => preparedTensors({ name, dtype: "BF16", shape }, mode))
      .map(({ name, shape }) => [name, shape]),
  );
}

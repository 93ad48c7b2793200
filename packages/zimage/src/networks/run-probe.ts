/** A graph of one node on a device: that it answers shows that the device is what runs. */
import { ModelError } from "../errors.ts";
import { ModelBuilder } from "../graph/model-builder.ts";
import type { Device } from "./device.ts";
import { openSession } from "./session.ts";

/**
 * The session refuses to place the node on the processor, so an answer comes from the device.
 * Throws ENGINE_FAILED.
 */
export async function runProbe(target: Device): Promise<void> {
  const builder = new ModelBuilder({ folder: "/", tensors: new Map() });
  const input = builder.input("input", "float", [2, 2]);
  builder.output("output", builder.node("MatMul", [input, input]), [2, 2]);
  const session = await openSession(builder.toBytes("probe"), "/", { target, fallback: false });
  const ones = { data: Float32Array.of(1, 1, 1, 1), dims: [2, 2] };
  const product = await session.run({ input: ones });
  await session.close();
  if (product.some((value) => value !== 2)) throw new ModelError("ENGINE_FAILED", "1 + 1 is not 2");
}

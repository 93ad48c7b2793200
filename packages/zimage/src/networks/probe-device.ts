/**
 * Proves at start-up that a graphics card is what runs, with a graph of one node: a card that
 * cannot be used would else show with the first picture, or not at all.
 */
import { access } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { ModelError } from "../errors.ts";
import { ModelBuilder } from "../graph/model-builder.ts";
import type { Device } from "./device.ts";
import { engineFolder, openSession } from "./session.ts";

/** In the order in which the runtime loads them. */
const libraries = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];

/**
 * ENGINE_FAILED, naming the missing library where that is the reason. A processor is not probed.
 * The session refuses to place the node on the processor, so an answer comes from the card.
 */
export async function probeDevice(device: Device): Promise<void> {
  if (device.kind === "cpu") return;
  const builder = new ModelBuilder({ folder: "/", tensors: new Map() });
  const input = builder.input("input", "float", [2, 2]);
  builder.output("output", builder.node("MatMul", [input, input]), [2, 2]);
  try {
    const session = await openSession(builder.toBytes("probe"), "/", {
      target: device,
      fallback: false,
    });
    const ones = { data: Float32Array.of(1, 1, 1, 1), dims: [2, 2] };
    const product = await session.run({ input: ones });
    await session.close();
    if (product.some((value) => value !== 2))
      throw new ModelError("ENGINE_FAILED", "1 + 1 is not 2");
  } catch (cause) {
    const missing = await findMissingLibrary();
    const reason = missing === undefined ? messageOf(cause) : `${missing} is missing`;
    const message = `device cuda:${device.id} cannot be used: ${reason}`;
    throw new ModelError("ENGINE_FAILED", message, { field: "device", cause });
  }
}

/**
 * The library that a card wants and that is not there, if any. The runtime only says that one could
 * not be loaded; the system's loader says which.
 */
export async function findMissingLibrary(): Promise<string | undefined> {
  const folder = engineFolder();
  for (const name of libraries) {
    const path = join(folder, name);
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (!isThere) return name;
    const missing = tryToLoad(path);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function tryToLoad(path: string): string | undefined {
  try {
    // Always throws, at the latest because this is not an addon of Node.
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_LAZY);
    return undefined;
  } catch (error) {
    return missingIn(messageOf(error));
  }
}

/** The library that the loader's message says it did not find. */
export function missingIn(message: string): string | undefined {
  return /([\w.+-]+\.so[\w.]*): cannot open shared object file/.exec(message)?.[1];
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

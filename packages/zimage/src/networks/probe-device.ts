/**
 * Proves at start-up that the chosen device is what runs: one that cannot be used would else show
 * with the first picture, or not at all.
 */
import { access } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { ModelError } from "../errors.ts";
import type { Device } from "./device.ts";
import { missingIn } from "./missing-library.ts";
import { findWebGpuProblem } from "./probe-webgpu.ts";
import { runProbe } from "./run-probe.ts";
import { engineFolder } from "./session.ts";

/** In the order in which the runtime loads them. */
const libraries = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];

/** ENGINE_FAILED, naming the missing library where one is. A processor is not probed. */
export async function probeDevice(device: Device): Promise<void> {
  if (device.kind === "cpu") return;
  if (device.kind === "webgpu") return refuse("webgpu", await findWebGpuProblem());
  try {
    await runProbe(device);
  } catch (cause) {
    const missing = await findMissingLibrary();
    const reason = missing === undefined ? messageOf(cause) : `${missing} is missing`;
    refuse(`cuda:${device.id}`, reason, cause);
  }
}

function refuse(device: string, reason: string | undefined, cause?: unknown): void {
  if (reason === undefined) return;
  const message = `device ${device} cannot be used: ${reason}`;
  throw new ModelError("ENGINE_FAILED", message, { field: "device", cause });
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

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

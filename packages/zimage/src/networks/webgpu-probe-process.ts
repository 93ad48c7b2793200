/** A process that tries WebGPU and says on stdout why not: what dies of a driver dies in here. */
import { runProbe } from "./run-probe.ts";

try {
  await runProbe({ kind: "webgpu" });
} catch (error) {
  process.stdout.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

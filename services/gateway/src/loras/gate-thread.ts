/** What runs in a thread of the gate: looks at one file, says what it found, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { inspectLora, ModelError, withFileSource } from "@zfarm/zimage/lora";
import { reportOf } from "./report-of.ts";
import type { GateAnswer, GateOrder } from "./thread-gate.ts";

parentPort?.postMessage(await answerTo(workerData as GateOrder));

async function answerTo({ path, architecture }: GateOrder): Promise<GateAnswer> {
  try {
    const found = await withFileSource(path, (source) => inspectLora(source, architecture));
    return { kind: "good", inspected: { digest: found.digest, report: reportOf(found) } };
  } catch (error) {
    if (!(error instanceof ModelError)) return { kind: "failed", message: String(error) };
    // Where the file lies on this machine is nobody's business.
    const message = error.message.replaceAll(path, "the file");
    return { kind: "refused", field: error.field ?? "file", message };
  }
}

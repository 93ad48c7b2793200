/** What runs in a thread of the gate: looks at one file, says what it found, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { type LoraReport, limits } from "@zfarm/contract";
import {
  type LoraReport as FileReport,
  inspectLora,
  ModelError,
  withFileSource,
} from "@zfarm/zimage/lora";
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

/** As it travels; texts that the file decides are bounded. */
function reportOf(found: FileReport): LoraReport {
  return {
    dialect: found.dialect,
    modulesMatched: found.modulesMatched,
    modulesOfModel: found.modulesOfModel,
    modulesPresent: found.modulesPresent,
    rankMin: found.ranks.min,
    rankMax: found.ranks.max,
    ranksTaken: found.ranksTaken,
    alphaMin: found.alpha.min,
    alphaMax: found.alpha.max,
    alphaFrom: found.alpha.from,
    fileBytes: BigInt(found.fileBytes),
    deviceBytes: BigInt(found.deviceBytes),
    triggerWords: bounded(found.triggerWords, limits.triggerWordsMax),
    warnings: bounded(found.warnings, limits.loraWarningsMax),
  };
}

function bounded(texts: readonly string[], max: number): string[] {
  return texts.slice(0, max).map((text) => text.slice(0, limits.loraReportCharsMax));
}

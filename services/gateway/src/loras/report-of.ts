/** What the gate found in a file, as it travels; texts that the file decides are bounded. */
import { type LoraReport, limits } from "@zfarm/contract";
import type { LoraReport as FileReport } from "@zfarm/zimage/lora";

export function reportOf(found: FileReport): LoraReport {
  return {
    dialect: found.dialect,
    modulesMatched: found.modulesMatched,
    modulesOfModel: found.modulesOfModel,
    modulesPresent: found.modulesPresent,
    rankMin: found.ranks.min,
    rankMax: found.ranks.max,
    ranksTaken: found.ranksTaken,
    products: found.products,
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

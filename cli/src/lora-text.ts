/** Adapters and what is found in their files, as lines that a person reads. */
import { type Lora, type LoraReport, type LoraResidence, LoraTier } from "@zfarm/contract";
import { formatTable } from "./terminal.ts";

/** What the gate found, as the farm tells it. */
export function describeReport(sha256: string, report: LoraReport | undefined): string[] {
  if (report === undefined) return [`sha256  ${sha256}`];
  const { dialect, modulesMatched, modulesPresent, modulesOfModel } = report;
  const { ranksTaken, products = 0, triggerWords, warnings } = report;
  const present = `${modulesPresent} in the file, ${modulesOfModel} in the model`;
  const alpha = `${rangeOf(report.alphaMin, report.alphaMax)}, from ${report.alphaFrom}`;
  return formatTable([
    ["sha256", sha256],
    ["dialect", dialect],
    ["modules", `${modulesMatched} of ${present}`],
    ["ranks", `${rangeOf(report.rankMin, report.rankMax)}; takes ${ranksTaken} of a run`],
    ...(products > 0
      ? [["products", `${products} modules, as their two factors; shares no run`]]
      : []),
    ["alpha", alpha],
    ["file", megabytes(report.fileBytes)],
    ["on device", megabytes(report.deviceBytes)],
    ...triggerWords.map((word) => ["word", word]),
    ...warnings.map((warning) => ["warning", warning]),
  ]);
}

export function describeLoras(loras: readonly Lora[]): string[] {
  const header = ["LORA", "NEWEST", "VERSIONS", "RANKS", "SIZE", "PINNED", "WORDS", "LABELS"];
  return formatTable([header, ...loras.map(toRow)]);
}

/** One adapter with all that is known of it. */
export function describeLora(lora: Lora): string[] {
  const said = [
    ["name", lora.name],
    ["says", lora.displayName],
    ["labels", labelsOf(lora)],
    ["words", wordsOf(lora)],
    ["pinned", lora.pinned ? "yes" : "no"],
    ["aliases", [...lora.aliases].map(([alias, version]) => `${alias}=${version}`).join(" ")],
    ["etag", lora.etag],
  ].filter(([, text]) => text !== "");
  const header = ["VERSION", "SHA256", "DIALECT", "RANKS", "SIZE", "POOL", "MADE"];
  const versions = lora.versions.map(({ version, sha256, pool, report, createTime }) => [
    version,
    sha256,
    report?.dialect ?? "",
    String(report?.ranksTaken ?? ""),
    megabytes(report?.fileBytes ?? 0n),
    pool,
    createTime?.toISOString() ?? "",
  ]);
  return [...formatTable(said), ...formatTable([header, ...versions])];
}

export function describeResidences(residences: readonly LoraResidence[]): string[] {
  const names = new Map<number, string>(
    Object.entries(LoraTier).map(([name, tier]) => [tier, name.toLowerCase()]),
  );
  const rows = residences.map(({ worker, tier }) => [
    worker.replace(/^workers\//, ""),
    names.get(tier) ?? String(tier),
  ]);
  return formatTable([["WORKER", "TIER"], ...rows]);
}

function toRow(lora: Lora): string[] {
  const newest = lora.versions.at(-1);
  return [
    lora.name.replace(/^.*\/loras\//, ""),
    newest?.version ?? "",
    String(lora.versions.length),
    String(newest?.report?.ranksTaken ?? ""),
    megabytes(newest?.report?.fileBytes ?? 0n),
    lora.pinned ? "yes" : "",
    wordsOf(lora),
    labelsOf(lora),
  ];
}

/** What its owner says, else what the newest file says itself. */
function wordsOf({ triggerWords, versions }: Lora): string {
  const words = triggerWords.length > 0 ? triggerWords : versions.at(-1)?.report?.triggerWords;
  return (words ?? []).join(", ");
}

function labelsOf({ labels }: Lora): string {
  return [...labels].map(([key, value]) => `${key}=${value}`).join(" ");
}

function rangeOf(min: number, max: number): string {
  return min === max ? String(min) : `${min} to ${max}`;
}

function megabytes(bytes: bigint): string {
  return `${(Number(bytes) / 1e6).toFixed(1)} MB`;
}

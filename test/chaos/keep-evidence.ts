/** Writes down everything that is needed to find out why a run failed. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChaosFarm } from "./farm/chaos-farm.ts";

export async function keepEvidence(farm: ChaosFarm, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (name: string, items: readonly object[]): Promise<void> => {
    return writeFile(join(folder, name), items.map((item) => `${stringify(item)}\n`).join(""));
  };
  await write("history.jsonl", farm.history.entries);
  await write("events.jsonl", farm.history.events);
  await farm.keepLogs(join(folder, "logs"));
}

function stringify(value: object): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "bigint" ? String(each) : each,
  );
}

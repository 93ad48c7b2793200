/**
 * Knows how often the system has killed a process because memory ran out. It asks nobody before
 * it does, and the one that is killed cannot say why it ended.
 */
import { readFileSync } from "node:fs";

/** Of this container, where it has a count of its own; else of the machine. Only Linux counts. */
const counters = ["/sys/fs/cgroup/memory.events", "/proc/vmstat"] as const;

/** So far; undefined where nobody counts. */
export function countMemoryKills(files: readonly string[] = counters): number | undefined {
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec(textOf(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

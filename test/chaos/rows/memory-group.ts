/** A control group that kills what takes too much memory (cgroup v1). */
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const memoryGroups = "/sys/fs/cgroup/memory";

export interface MemoryGroup {
  /** What a command is prefixed with to run inside, children included. */
  readonly prefix: readonly string[];
  remove(): Promise<void>;
}

export async function createMemoryGroup(mebibytes: number): Promise<MemoryGroup> {
  const folder = join(memoryGroups, `zfarm-chaos-${process.pid}-${Date.now()}`);
  await mkdir(folder);
  await writeFile(join(folder, "memory.limit_in_bytes"), String(mebibytes * 2 ** 20));
  const enter = `echo $$ > ${join(folder, "cgroup.procs")}; exec "$@"`;
  return { prefix: ["sh", "-c", enter, "sh"], remove: () => rmdir(folder) };
}

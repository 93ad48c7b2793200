/** A file system of a few megabytes in memory, to be filled up. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface SmallDisk {
  readonly folder: string;
  /** Leaves no byte free. */
  fill(): Promise<void>;
  /** Takes back what `fill` wrote. */
  free(): Promise<void>;
  grow(mebibytes: number): Promise<void>;
  unmount(): Promise<void>;
}

const run = promisify(execFile);

export async function mountSmallDisk(mebibytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "zfarm-disk", folder]);
  const ballast = join(folder, "ballast");
  return {
    folder,
    fill: async () => {
      const block = Buffer.alloc(2 ** 16);
      try {
        for (;;) await writeFile(ballast, block, { flag: "a" });
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("ENOSPC")) throw error;
      }
    },
    free: () => rm(ballast, { force: true }),
    grow: async (size) => void (await run("mount", ["-o", `remount,size=${size}m`, folder])),
    unmount: async () => {
      await run("umount", [folder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

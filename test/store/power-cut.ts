/** A disk of its own for a server, whose power can be cut: what was not flushed is gone. */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const diskBytes = 768 * 2 ** 20;
const run = promisify(execFile);

/** Whether this machine lets us mount one; said loudly where it does not. */
export async function canCutPower(): Promise<boolean> {
  const disk = await Disk.open().catch((error: unknown) => String(error));
  if (typeof disk !== "string") {
    await disk.close();
    return true;
  }
  process.stderr.write(
    `\n*** SKIPPED: the test of a power cut, which mounts a disk. ${disk} ***\n`,
  );
  return false;
}

export class Disk {
  readonly #own: string;

  private constructor(own: string) {
    this.#own = own;
  }

  static async open(): Promise<Disk> {
    const own = await mkdtemp(join(tmpdir(), "zfarm-disk-"));
    const disk = new Disk(own);
    try {
      await mkdir(join(own, "mount"));
      await writeFile(disk.#image, "");
      await truncate(disk.#image, diskBytes);
      await run("mkfs.ext4", ["-q", disk.#image]);
      await disk.#mount();
      await mkdir(disk.folder);
      await disk.flush();
      return disk;
    } catch (error) {
      await rm(own, { recursive: true, force: true });
      throw error;
    }
  }

  get folder(): string {
    return join(this.#own, "mount", "data");
  }

  /** As on a disk that has been in use for a while. */
  async flush(): Promise<void> {
    await run("sync", ["-f", join(this.#own, "mount")]);
  }

  /** What the device holds now, and not what the kernel would still have written. */
  async copy(): Promise<void> {
    await run("cp", ["--sparse=always", this.#image, this.#copy]);
  }

  /** The disk as it was copied, once nothing uses it. */
  async takeCopy(): Promise<void> {
    await this.#unmount();
    await run("mv", [this.#copy, this.#image]);
    // As at every start after a power cut.
    await run("e2fsck", ["-p", this.#image]).catch(() => undefined);
    await this.#mount();
    await access(this.folder);
  }

  async close(): Promise<void> {
    await this.#unmount();
    await rm(this.#own, { recursive: true, force: true });
  }

  get #image(): string {
    return join(this.#own, "disk");
  }

  get #copy(): string {
    return join(this.#own, "copy");
  }

  async #mount(): Promise<void> {
    await run("mount", ["-o", "loop", this.#image, join(this.#own, "mount")]);
  }

  async #unmount(): Promise<void> {
    await run("umount", [join(this.#own, "mount")]);
  }
}

/** A base image where no registry of images is in reach: Debian's packages, and Node from npm. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildImage, type Engine, hasImage, runLoud } from "./engine.ts";

/** Whether this machine has the tool that unpacks Debian, and the rights that it wants. */
export async function canMakeDebianBase(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  return promisify(execFile)("mmdebstrap", ["--version"]).then(
    () => true,
    () => false,
  );
}

/** Makes it unless it is there; its name. `root` is the repository's. */
export async function makeDebianBase(engine: Engine, root: string): Promise<string> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { readonly version: string }>;
  };
  const { version } = lock.packages["node_modules/node"] ?? {};
  if (version === undefined) throw new Error("the lockfile names no Node");
  // A name of its own: it is not the image that the Dockerfiles name.
  const tag = `localhost/zfarm-node:${version}-trixie`;
  if (await hasImage(engine, tag)) return tag;

  const context = await mkdtemp(join(tmpdir(), "zfarm-base-"));
  try {
    await runLoud(["sh", join(root, "deploy/docker/debian-base.sh"), version, context]);
    await buildImage(engine, { dockerfile: join(context, "Dockerfile"), tag, context });
    return tag;
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** The reference pipeline: installed once into a cache of its own, run section by section. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { env, pid } from "node:process";
import { fileURLToPath } from "node:url";
import type { ReferenceRequest } from "./reference-request.ts";
import { TensorFile } from "./tensor-file.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const requirements = here("requirements.txt");

export type Section = "noise" | "text" | "pictures" | "stacks" | "block";

export class Reference {
  readonly #python: string;
  readonly #request: ReferenceRequest;

  constructor(python: string, request: ReferenceRequest) {
    this.#python = python;
    this.#request = request;
  }

  /** Runs a section to its end; a process of its own, so that its memory is free afterwards. */
  async run(section: Section): Promise<TensorFile> {
    await this.#start(section);
    return await TensorFile.open(join(this.#request.out, `${section}.safetensors`));
  }

  /** Writes the random weights that the block's section reads. */
  async writeBlock(): Promise<void> {
    await this.#start("weights");
  }

  /** Versions of Python and of the packages; known once `noise` has run. */
  async versions(): Promise<Record<string, string>> {
    const text = await readFile(join(this.#request.out, "versions.json"), "utf8");
    const versions = JSON.parse(text) as Record<string, string | number>;
    return Object.fromEntries(Object.entries(versions).map(([name, value]) => [name, `${value}`]));
  }

  async #start(section: Section | "weights"): Promise<void> {
    const path = join(this.#request.out, "request.json");
    await writeFile(path, JSON.stringify(this.#request));
    await runCommand(this.#python, [here("reference.py"), section, path]);
  }
}

/**
 * Path of a Python that has the pinned packages. The first call installs them, 5 GB on Linux, where
 * torch brings its GPU libraries along; a change of requirements.txt installs anew.
 */
export async function installReference(say: (text: string) => void): Promise<string> {
  const pins = await readFile(requirements);
  const key = createHash("sha256").update(pins).digest("hex").slice(0, 12);
  const cache = join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "zfarm");
  const folder = join(cache, `reference-${key}`);
  const python = join(folder, "bin", "python");
  const stamp = join(folder, "installed");
  if (existsSync(stamp)) return python;
  say(`installing the reference into ${folder} (about 5 GB, some minutes)`);
  // Not moved into place afterwards: scripts of a virtual environment know where they stand.
  if (existsSync(folder)) await rename(folder, `${folder}.${pid}.old`);
  await rm(`${folder}.${pid}.old`, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await runCommand(env["PYTHON"] ?? "python3", ["-m", "venv", folder]);
  await runCommand(python, ["-m", "pip", "install", "--quiet", "-r", requirements]);
  await writeFile(stamp, "");
  return python;
}

/** Output of the command goes to stderr; a failure names it. */
async function runCommand(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, {
    stdio: ["ignore", 2, 2],
    env: {
      ...env,
      HF_HUB_OFFLINE: "1",
      HF_HUB_DISABLE_TELEMETRY: "1",
      PYTHONDONTWRITEBYTECODE: "1",
    },
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
}

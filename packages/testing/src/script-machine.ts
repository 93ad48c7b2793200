/** A machine made of shell scripts, for tests of what finds programs: PATH holds nothing else. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { vi } from "vitest";

export interface ScriptMachine {
  readonly folder: string;
  /** Puts an executable shell script on the machine and returns its path. */
  putScript(path: string, body: string): Promise<string>;
  remove(): Promise<void>;
}

/** With a cache of its own; the variables that name programs are empty. */
export async function openScriptMachine(variables: readonly string[]): Promise<ScriptMachine> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-machine-"));
  await mkdir(join(folder, "bin"));
  vi.stubEnv("PATH", join(folder, "bin"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  for (const variable of variables) vi.stubEnv(variable, "");
  return {
    folder,
    putScript: async (path, body) => {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, `#!/bin/sh\n${body}\n`);
      await chmod(file, 0o755);
      return file;
    },
    remove: async () => {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The repository as data, for the tests that hold its rules. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every file that is tracked, or would be: paths relative to the root, generated code left out. */
export function listFiles(): string[] {
  const output = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  return output
    .split("\n")
    .filter((path) => path !== "" && !path.includes("/gen/"))
    .filter((path) => existsSync(join(repositoryRoot, path)));
}

export function readText(path: string): string {
  return readFileSync(join(repositoryRoot, path), "utf8");
}

export function isTest(path: string): boolean {
  return /\.test\.ts$|^test\/|\/test\/|^packages\/testing\//.test(path);
}

/** The module names that a source file imports, static, dynamic and re-exported. */
export function importsOf(source: string): string[] {
  const named = /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*["']([^"']+)["']/g;
  const bare = /\bimport\s*\(?\s*["']([^"']+)["']/g;
  return [...source.matchAll(named), ...source.matchAll(bare)].map((match) => match[1] ?? "");
}

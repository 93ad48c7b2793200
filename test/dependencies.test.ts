/** The lockfile and the list of runtime dependencies stay what the documents say. */
import { matchesGlob } from "node:path";
import { describe, expect, test } from "vitest";
import { importsOf, isTest, listFiles, readText } from "./repository.ts";

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly optionalDependencies?: Record<string, string>;
}

const files = listFiles();
const manifests = files.filter((path) =>
  /^(packages|services)\/[^/]+\/package\.json$|^cli\/package\.json$/.test(path),
);

/** Package to the files that may import it, from the table in ARCHITECTURE.md. */
function readOwners(): Map<string, string[]> {
  const rows = readText("ARCHITECTURE.md").matchAll(/^\| `([^`]+)` \| ([^|]+) \| [^|]+ \|$/gm);
  return new Map(
    [...rows].map(([, name = "", owners = ""]) => [
      name,
      [...owners.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
    ]),
  );
}

function dependenciesOf(manifest: string): Record<string, string> {
  const parsed = JSON.parse(readText(manifest)) as { dependencies?: Record<string, string> };
  return parsed.dependencies ?? {};
}

describe("lockfile", () => {
  const lock = JSON.parse(readText("package-lock.json")) as { packages: Record<string, LockEntry> };
  const entries = Object.entries(lock.packages).filter(([path]) =>
    path.startsWith("node_modules/"),
  );

  test("names no registry, so that it installs from any", () => {
    const named = entries.filter(([, entry]) => entry.resolved?.startsWith("http"));
    expect(named.map(([path]) => path)).toEqual([]);
  });

  test("pins every package by its checksum", () => {
    const external = entries.filter(([, entry]) => entry.link !== true && entry.inBundle !== true);
    const unpinned = external.filter(([, entry]) => !entry.integrity?.startsWith("sha512-"));
    expect(external.length).toBeGreaterThan(100);
    expect(unpinned.map(([path]) => path)).toEqual([]);
  });

  test("knows the packages of every platform, or `npm ci` fails on all of them", () => {
    const missing = entries.flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !entries.some(([other]) => other.endsWith(`node_modules/${name}`)))
        .map((name) => `${path} -> ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test("versions are exact", () => {
    const loose = [...manifests, "package.json"].flatMap((manifest) =>
      Object.entries(dependenciesOf(manifest))
        .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
        .map(([name]) => `${manifest}: ${name}`),
    );
    expect(loose).toEqual([]);
  });
});

describe("runtime dependencies", () => {
  const owners = readOwners();
  const external = new Set(
    manifests.flatMap((manifest) =>
      Object.keys(dependenciesOf(manifest)).filter((name) => !/^@zfarm\/|^zfarm$/.test(name)),
    ),
  );

  test("are exactly those with an owner and a reason in ARCHITECTURE.md", () => {
    expect([...owners.keys()].sort()).toEqual([...external].sort());
  });

  test.each([...owners])("%s is imported by its owner alone", (name, allowed) => {
    const importers = files
      .filter((path) => /^(packages|services|cli)\/.*\.ts$/.test(path) && !isTest(path))
      .filter((path) =>
        importsOf(readText(path)).some(
          (module) => module === name || module.startsWith(`${name}/`),
        ),
      );
    const strangers = importers.filter((path) => !allowed.some((glob) => matchesGlob(path, glob)));

    expect(importers.length).toBeGreaterThan(0);
    expect(strangers).toEqual([]);
  });
});

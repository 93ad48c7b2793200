/** The house rules that a machine can hold: sizes, walls between folders, banned words. */
import { describe, expect, test } from "vitest";
import { importsOf, isTest, listFiles, readText } from "./repository.ts";

const files = listFiles();
const sources = files.filter((path) => path.endsWith(".ts"));
const product = sources.filter((path) => !isTest(path));

/** Each line of each file that breaks a rule, as `path:line`. */
function linesMatching(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    readText(path)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  );
}

function longerThan(paths: readonly string[], linesMax: number): string[] {
  return paths.filter((path) => readText(path).trimEnd().split("\n").length > linesMax);
}

/** Imports that a folder must not have, as `path -> module`. */
function importsMatching(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    importsOf(readText(path))
      .filter((name) => pattern.test(name))
      .map((name) => `${path} -> ${name}`),
  );
}

/** What packages export beside their front door, such as `@zfarm/zimage/lora`. */
const doors = new Set(
  files
    .filter((path) => /^packages\/[^/]+\/package\.json$/.test(path))
    .map((path) => JSON.parse(readText(path)) as { name: string; exports?: string | object })
    .flatMap(({ name, exports }) =>
      typeof exports === "object" ? Object.keys(exports).map((door) => name + door.slice(1)) : [],
    ),
);

describe("sizes", () => {
  test("a source file has at most 400 lines", () => {
    expect(longerThan(product, 400)).toEqual([]);
  });

  test("a test file has at most 600 lines", () => {
    expect(longerThan(sources.filter(isTest), 600)).toEqual([]);
  });

  test("a line has at most 100 characters, addresses aside", () => {
    const python = files.filter((path) => path.endsWith(".py"));
    const long = linesMatching([...sources, ...python], /^(?!.*https?:\/\/).{101,}$/);
    expect(long).toEqual([]);
  });
});

describe("walls", () => {
  test("services do not know each other", () => {
    for (const service of ["gateway", "scheduler", "gpu-worker"]) {
      const own = product.filter((path) => path.startsWith(`services/${service}/`));
      const others = ["gateway", "scheduler", "gpu-worker"].filter((name) => name !== service);
      expect(importsMatching(own, new RegExp(`^@zfarm/(${others.join("|")})$`))).toEqual([]);
    }
  });

  test("what two processes agree on knows nothing of ours", () => {
    const contract = product.filter((path) => path.startsWith("packages/contract/"));
    expect(importsMatching(contract, /^@zfarm\//)).toEqual([]);
  });

  test("the model library is usable with no farm", () => {
    const zimage = product.filter((path) => path.startsWith("packages/zimage/"));
    expect(importsMatching(zimage, /^@zfarm\//)).toEqual([]);
  });

  test("packages do not import services", () => {
    const packages = product.filter((path) => path.startsWith("packages/"));
    expect(importsMatching(packages, /^@zfarm\/(gateway|scheduler|gpu-worker)$/)).toEqual([]);
  });

  test("test tools stay in tests", () => {
    expect(importsMatching(product, /^@zfarm\/testing$/)).toEqual([]);
  });

  test("packages are entered by their doors", () => {
    const inside = importsMatching(sources, /^@zfarm\/[a-z-]+\//);
    expect(inside.filter((use) => !doors.has(use.replace(/^.* -> /, "")))).toEqual([]);
    const libraries = product.filter((path) => /^(packages|services|cli)\//.test(path));
    expect(importsMatching(libraries, /^(\.\.\/)+(packages|services|cli)\//)).toEqual([]);
  });
});

describe("bans", () => {
  test("failures carry a type that callers can tell apart", () => {
    const libraries = product.filter((path) => /^(packages|services|cli)\//.test(path));
    expect(linesMatching(libraries, /throw new (Error|TypeError)\(/)).toEqual([]);
  });

  test("time comes from the clock", () => {
    const waiting = product.filter((path) => path !== "packages/runtime/src/clock.ts");
    const farm = waiting.filter((path) => /^(packages|services|cli)\//.test(path));
    expect(linesMatching(farm, /\b(setTimeout|setInterval)\(/)).toEqual([]);
  });

  test("nothing is left for later and no test is switched off", () => {
    const own = sources.filter((path) => path !== "test/tidy.test.ts");
    const unfinished = /\b(TODO|FIXME|XXX)\b|\b(it|test|describe)\.(skip|only|todo)\(/;
    expect(linesMatching(own, unfinished)).toEqual([]);
  });

  test("types are not argued away", () => {
    expect(linesMatching(product, /\bas any\b|as unknown as|@ts-(ignore|nocheck)/)).toEqual([]);
  });

  test("a lint rule is only switched off with its name and a reason", () => {
    const bare = /(oxlint|biome|eslint)-(disable|ignore)(?!.* -- \S|.*: \S)/;
    const own = sources.filter((path) => path !== "test/tidy.test.ts");
    expect(linesMatching(own, bare)).toEqual([]);
  });

  test("no path or address of somebody's machine", () => {
    const texts = files.filter((path) => /\.(ts|mjs|py|md|json|proto|yaml)$/.test(path));
    const own = texts.filter((path) => !["test/tidy.test.ts", "package-lock.json"].includes(path));
    expect(linesMatching(own, /(^|[\s"'`(=])\/(home|root|work|opt)\//)).toEqual([]);
  });
});

describe("scripts", () => {
  const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };

  test("what runs our sources works from a fresh clone", () => {
    const running = Object.entries(scripts).filter(([, line]) => /\bnode .*\.ts\b/.test(line));
    const bare = running.filter(([, line]) => !line.startsWith("node tools/setup.mjs "));
    expect(running.length).toBeGreaterThan(8);
    expect(bare.map(([name]) => name)).toEqual([]);
  });
});

describe("documents", () => {
  test("every source file begins by saying what it owns or decides", () => {
    const libraries = product.filter((path) => /^(packages|services|cli)\/.*\/src\//.test(path));
    const silent = libraries
      .filter((path) => !/\/(index|main)\.ts$/.test(path))
      .filter((path) => !/^(#!.*\n)?(\/\*\*|\/\/ )/.test(readText(path)));
    expect(silent).toEqual([]);
  });

  test("every workspace has a README of its own", () => {
    const workspaces = files.filter((path) =>
      /^(packages|services)\/[^/]+\/package\.json$/.test(path),
    );
    const without = workspaces.filter(
      (path) => !files.includes(path.replace("package.json", "README.md")),
    );
    expect(without).toEqual([]);
  });
});

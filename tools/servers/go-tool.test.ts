/**
 * What a program built from its Go module is held to, on a machine made of shell scripts: PATH
 * holds only what a test puts there, and the cache is a temporary one.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openScriptMachine, type ScriptMachine } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { wrapperOf } from "./derive-wrapper.mjs";
import { goTool } from "./go-tool.mjs";

const described = {
  name: "press",
  title: "the press",
  variable: "PRESS_BIN",
  probeMs: 10_000,
  readVersion: (text: string) => /press v([\d.]+)/.exec(text)?.[1],
  version: "1.2.3",
  go: [1, 24],
  package: "example.com/press/cmd/press",
  stamps: { "main.version": "v1.2.3", "main.major": "1" },
};
const press = goTool(described);

let scripts: ScriptMachine;
let machine: string;
let lines: string[];
const log = (line: string) => lines.push(line);

beforeEach(async () => {
  scripts = await openScriptMachine(["PRESS_BIN"]);
  machine = scripts.folder;
  lines = [];
});

afterEach(() => scripts.remove());

const putScript = (path: string, body: string) => scripts.putScript(path, body);

const putPress = (path: string, version: string) => putScript(path, `echo "press v${version}"`);

/** A `go` that keeps how it was called, and leaves a program that says `version` at `output`. */
async function putGo(options: { version: string; output: string; makes: string }): Promise<void> {
  const { version, output, makes } = options;
  const keep = `echo "$*" > "${machine}/called"; pwd > "${machine}/where"`;
  const write = `printf '#!/bin/sh\\necho "press v${makes}"\\n' > "${output}"`;
  const answer = `if [ "$1" = env ]; then echo go${version}; exit 0; fi`;
  await putScript("bin/go", `${answer}\n${keep}\n${write}`);
  await putScript("bin/nice", 'shift 2; exec "$@"');
}

const read = async (file: string) => (await readFile(join(machine, file), "utf8")).trim();
const listCache = () => readdir(join(machine, "cache/zfarm/bin"));

describe("a program at its pinned release", () => {
  test("is the one that its variable names, whatever that one's release", async () => {
    await putPress("cache/zfarm/bin/press-1.2.3", "1.2.3");
    const path = await putPress("mine/press", "9.9.9");
    vi.stubEnv("PRESS_BIN", path);

    expect(await press.find()).toEqual({ path, version: "9.9.9", source: "PRESS_BIN" });
  });

  test("is taken from the cache, and never from PATH", async () => {
    await putPress("bin/press", "1.2.3");
    expect(await press.find({ log })).toBeUndefined();

    const path = await putPress("cache/zfarm/bin/press-1.2.3", "1.2.3");
    expect(await press.find({ log })).toEqual({ path, version: "1.2.3", source: "cache" });
    expect(lines).toEqual([]);
  });

  test("says its release by what Go wrote into it, where it prints none", async () => {
    const silent = goTool({ ...described, module: "example.com/press" });
    const written = "#\tdep\texample.com/other\tv9.9.9\n#\tdep\texample.com/press\tv1.2.3\th1:";
    const path = await putScript("cache/zfarm/bin/press-1.2.3", written);

    expect(await silent.find()).toEqual({ path, version: "1.2.3", source: "cache" });
    await putScript("cache/zfarm/bin/press-1.2.3", "exit 0");
    expect(await silent.find()).toBeUndefined();
  });

  test("is built anew where the cached file says another release", async () => {
    await putPress("cache/zfarm/bin/press-1.2.3", "1.2.0");
    await putGo({ version: "1.24.0", output: "$GOBIN/press", makes: "1.2.3" });

    const found = await press.find({ fetch: true });

    expect(found).toMatchObject({ version: "1.2.3", source: "Go module v1.2.3" });
    expect(await listCache()).toEqual(["press-1.2.3"]);
  });

  test("is installed by path and release, with its release stamped in", async () => {
    await putGo({ version: "1.24.0", output: "$GOBIN/press", makes: "1.2.3" });

    await press.find({ fetch: true, log });

    const link = "-ldflags=-s -w -X main.version=v1.2.3 -X main.major=1";
    expect(await read("called")).toBe(
      `install -p 2 -trimpath -buildvcs=false ${link} example.com/press/cmd/press@v1.2.3`,
    );
    expect(lines).toEqual(["building the press 1.2.3 with Go (once)"]);
  });

  test("is built inside its wrapper, which nothing may change meanwhile", async () => {
    const wrapped = goTool({ ...described, wrapper: "etcd" });
    await putGo({ version: "1.24.0", output: "$9", makes: "1.2.3" });

    const found = await wrapped.find({ fetch: true });

    expect(found?.path).toBe(join(machine, "cache/zfarm/bin/press-1.2.3"));
    expect(await read("called")).toMatch(/^build -mod=readonly -p 2 .*cmd\/press$/);
    expect(await read("where")).toMatch(/tools\/servers\/go\/etcd$/);
  });

  test("is not built by a Go that is too old, and that is said", async () => {
    expect(await press.canBuild()).toBe(false);
    await putGo({ version: "1.23.9", output: "$GOBIN/press", makes: "1.2.3" });

    expect(await press.canBuild()).toBe(false);
    expect(await press.find({ fetch: true, log })).toBeUndefined();
    expect(lines).toEqual(["no Go 1.24 or newer here, which building the press needs"]);
  });
});

describe("the wrapper of a module", () => {
  const wrap = (told: object) =>
    wrapperOf({ module: "k8s.io/press", version: "v1.36.3", packages: ["k8s.io/press/a"], told })
      .split("\n")
      .filter((line) => /^(replace|exclude|tool|require|go)/.test(line));
  const asked = ["go 1.26.0", "tool k8s.io/press/a", "require k8s.io/press v1.36.3"];

  test("says again what the module replaces and excludes by release", () => {
    const told = {
      Go: "1.26.0",
      Replace: [
        { Old: { Path: "a" }, New: { Path: "fork/a", Version: "v2.0.0" } },
        { Old: { Path: "b", Version: "v1.0.0" }, New: { Path: "b", Version: "v1.0.1" } },
      ],
      Exclude: [{ Path: "c", Version: "v0.1.0" }],
    };
    expect(wrap(told)).toEqual([
      ...asked,
      "replace a => fork/a v2.0.0",
      "replace b v1.0.0 => b v1.0.1",
      "exclude c v0.1.0",
    ]);
  });

  test("takes a folder's published twin, or the release that is asked for already", () => {
    const told = {
      Go: "1.26.0",
      Require: [
        { Path: "k8s.io/api", Version: "v0.0.0" },
        { Path: "etcd/api", Version: "v3.6.16" },
      ],
      Replace: [
        { Old: { Path: "k8s.io/api" }, New: { Path: "./staging/src/k8s.io/api" } },
        { Old: { Path: "etcd/api" }, New: { Path: "../api" } },
      ],
    };
    expect(wrap(told)).toEqual([...asked, "replace k8s.io/api => k8s.io/api v0.36.3"]);
  });
});

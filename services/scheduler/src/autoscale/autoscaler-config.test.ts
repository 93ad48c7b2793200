import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvReader } from "@zfarm/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readAutoscaler } from "./autoscaler-config.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zfarm-autoscaler-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function read(env: Record<string, string>) {
  const reader = new EnvReader(env);
  const config = readAutoscaler(reader);
  reader.finish();
  return config;
}

function write(text: string): string {
  const path = join(folder, "autoscaler.json");
  writeFileSync(path, text);
  return path;
}

test("an autoscaler only recommends unless it is told how to act", () => {
  expect(read({})).toMatchObject({ actuator: "none", tickMs: 5_000 });
});

test("the pools come from the file", () => {
  const path = write('{"pools":{"default":{"target":"w","max":3}}}');

  const { pools } = read({ AUTOSCALER_FILE: path });

  expect([...pools.values()]).toMatchObject([{ target: "w", goals: { max: 3 } }]);
});

test("a file that is wrong or not there is a problem by its variable", () => {
  expect(() => read({ AUTOSCALER_FILE: write('{"pools":{"default":{}}}') })).toThrow(
    "AUTOSCALER_FILE: pools.default.target is not set",
  );
  expect(() => read({ AUTOSCALER_FILE: join(folder, "none.json") })).toThrow(
    /AUTOSCALER_FILE cannot be read \(ENOENT\)/,
  );
  expect(() => read({ AUTOSCALER_FILE: write("x".repeat(300_000)) })).toThrow(
    "AUTOSCALER_FILE must have at most 262144 characters, got 300000",
  );
});

test("hands on Kubernetes know their namespace, or say what is missing", () => {
  const path = write('{"pools":{"default":{"target":"w"}}}');
  const env = { AUTOSCALER: "kubernetes", AUTOSCALER_FILE: path };

  expect(read({ ...env, POD_NAMESPACE: "farm", KUBECONFIG: "config" })).toMatchObject({
    actuator: "kubernetes",
    kubernetes: { namespace: "farm", kubeconfig: "config" },
  });
  expect(() => read({ ...env, POD_NAMESPACE: "farm" })).toThrow("there is no Kubernetes");
});

test("hands that are not known are refused by name", () => {
  expect(() => read({ AUTOSCALER: "magic" })).toThrow(/AUTOSCALER must be one of none/);
});

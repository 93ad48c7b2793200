import { EnvReader } from "@zfarm/runtime";
import { expect, test } from "vitest";
import { readSchedulerConfig, readSchedulerStore } from "./config.ts";

test("a scheduler needs no settings", () => {
  expect(readSchedulerConfig({})).toEqual({
    candidate: "scheduler",
    durability: "stream",
    autoscaler: { actuator: "none", tickMs: 5_000, pools: new Map() },
  });
});

test("its name may be a pod's name", () => {
  const env = { SCHEDULER_ID: "zfarm-scheduler-5d9c7b-x2x4k" };

  expect(readSchedulerConfig(env).candidate).toBe("zfarm-scheduler-5d9c7b-x2x4k");
});

test("a name that could not stand in the lease is refused by its variable", () => {
  expect(() => readSchedulerConfig({ SCHEDULER_ID: "a b" })).toThrow(/SCHEDULER_ID must be/);
});

test("streams are made anew only where manifests can restore what they held", () => {
  const env = { NATS_STREAMS: "recreate" };

  expect(() => readSchedulerConfig(env)).toThrow("NATS_STREAMS=recreate needs DURABILITY=manifest");
  expect(readSchedulerConfig({ ...env, DURABILITY: "manifest" }).durability).toBe("manifest");
});

test("a farm with manifests needs a store, any other may have one", () => {
  const read = (env: Record<string, string>, durability: "stream" | "manifest") => {
    const reader = new EnvReader(env);
    const store = readSchedulerStore(reader, durability);
    reader.finish();
    return store;
  };

  expect(read({}, "stream")).toBeUndefined();
  expect(read({ BLOBS_DIR: "blobs" }, "stream")).toEqual({ kind: "directory", root: "blobs" });
  expect(() => read({}, "manifest")).toThrow("neither S3_ENDPOINT nor BLOBS_DIR is set");
});

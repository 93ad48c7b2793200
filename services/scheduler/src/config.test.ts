import { expect, test } from "vitest";
import { readSchedulerConfig } from "./config.ts";

test("a scheduler needs no settings", () => {
  expect(readSchedulerConfig({})).toEqual({ candidate: "scheduler" });
});

test("its name may be a pod's name", () => {
  const env = { SCHEDULER_ID: "zfarm-scheduler-5d9c7b-x2x4k" };

  expect(readSchedulerConfig(env).candidate).toBe("zfarm-scheduler-5d9c7b-x2x4k");
});

test("a name that could not stand in the lease is refused by its variable", () => {
  expect(() => readSchedulerConfig({ SCHEDULER_ID: "a b" })).toThrow(/SCHEDULER_ID must be/);
});

import { describe, expect, test } from "vitest";
import { createJobId, defaultProject, type LoraId } from "./ids.ts";
import { imageKey } from "./object-keys.ts";
import {
  jobName,
  loraName,
  parseFleetName,
  parseJobName,
  parseLoraName,
  parseLoraUse,
  parseLoraVersionName,
  parseProjectName,
  parseTaskName,
  taskName,
} from "./resource-names.ts";
import { subjects } from "./subjects.ts";

describe("resource names", () => {
  test("a job's name leads back to the job", () => {
    const ref = { project: defaultProject, job: createJobId() };

    expect(parseJobName(jobName(ref))).toEqual(ref);
  });

  test.each([
    "",
    "jobs/x",
    "projects/default/jobs/",
    "projects/default/jobs/UPPER",
    "projects/../jobs/aaaaaaaaaaaaaaaaaaaaaaaaaa",
    "projects/default/jobs/aaaaaaaaaaaaaaaaaaaaaaaaaa/tasks/0",
  ])("%j names no job", (name) => {
    expect(parseJobName(name)).toBeUndefined();
  });

  test("a task's name leads back to the task, and nothing else does", () => {
    const id = { project: defaultProject, job: createJobId(), index: 17 };

    expect(parseTaskName(taskName(id))).toEqual(id);
    for (const tail of ["", "/tasks/", "/tasks/-1", "/tasks/01", "/tasks/1e3", "/tasks/1/x"]) {
      expect(parseTaskName(`${jobName(id)}${tail}`)).toBeUndefined();
    }
  });

  test("what can be drained is a worker or a pool", () => {
    expect(parseFleetName("workers/w-1")).toEqual({ kind: "worker", worker: "w-1" });
    expect(parseFleetName("pools/default")).toEqual({ kind: "pool", pool: "default" });
    for (const name of ["", "w-1", "workers/", "pools/W", "workers/a/b", "projects/default"]) {
      expect(parseFleetName(name)).toBeUndefined();
    }
  });

  test("an adapter's name leads back to it, with or without a version", () => {
    const ink = { project: defaultProject, lora: "ink" as LoraId };

    expect(parseLoraName(loraName(ink))).toEqual(ink);
    expect(parseLoraVersionName(loraName(ink))).toEqual(ink);
    expect(parseLoraVersionName(`${loraName(ink)}/versions/1.2-a`)).toEqual({
      ...ink,
      version: "1.2-a",
    });
    for (const tail of ["/versions/", "/versions/A", "/versions/.", "/versions/1/x", "/x"]) {
      expect(parseLoraVersionName(`${loraName(ink)}${tail}`)).toBeUndefined();
    }
  });

  test("a picture names an adapter by name, by name and version, or by digest", () => {
    const digest = "0a".repeat(32);

    expect(parseLoraUse("ink")).toEqual({ kind: "name", lora: "ink" });
    expect(parseLoraUse("ink@2")).toEqual({ kind: "name", lora: "ink", version: "2" });
    expect(parseLoraUse(digest)).toEqual({ kind: "digest", digest });
  });

  test.each(["", "@", "ink@", "@1", "ink@1@2", "Ink", "ink@A", "../ink", "0a".repeat(31), "ink\n"])(
    "%j names no adapter",
    (text) => {
      expect(parseLoraUse(text)).toBeUndefined();
    },
  );

  test("no parent means the default project", () => {
    expect(parseProjectName("")).toBe(defaultProject);
    expect(parseProjectName("projects/default")).toBe(defaultProject);
    expect(parseProjectName("default")).toBeUndefined();
  });

  test("a task is found under one subject and its pictures under its own folder", () => {
    const id = { project: defaultProject, job: createJobId(), index: 7 };

    expect(subjects.outcome(id)).toBe(`outcome.default.${id.job}.7`);
    expect(imageKey(id, 9n)).toBe(`default/${id.job}/7/9.png`);
    expect(taskName(id)).toBe(`projects/default/jobs/${id.job}/tasks/7`);
  });
});

import type { TaskKey } from "@zfarm/contract";
import { expect, test } from "vitest";
import { TaskLanes } from "./task-lanes.ts";

const key = (index: number) => `default.j.${index}` as TaskKey;

test("work of one task runs in order, whatever other tasks wait for", async () => {
  const lanes = new TaskLanes(8);
  const stuck = Promise.withResolvers<void>();
  const done: string[] = [];
  for (const step of ["first", "second"]) {
    for (let index = 0; index < 64; index += 1) {
      lanes.push(key(index), async () => {
        if (index === 0 && step === "first") await stuck.promise;
        done.push(`${index} ${step}`);
      });
    }
  }

  await new Promise(setImmediate);
  expect(done.length).toBeGreaterThan(64);
  expect(done).not.toContain("0 second");
  stuck.resolve();
  await lanes.drained();

  expect(done).toHaveLength(128);
  for (let index = 0; index < 64; index += 1) {
    expect(done.indexOf(`${index} first`)).toBeLessThan(done.indexOf(`${index} second`));
  }
});

test("no more work runs at once than there are lanes", async () => {
  const lanes = new TaskLanes(4);
  let running = 0;
  let most = 0;
  for (let index = 0; index < 64; index += 1) {
    lanes.push(key(index), async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
    });
  }

  await lanes.drained();

  expect(most).toBe(4);
});

import { limits } from "@zfarm/contract";
import { expect, test } from "vitest";
import { buildTask, buildTasks, CoreDriver, only } from "../../testing/drive-core.ts";

/** So dear that one task puts a project as far ahead as it may be. */
const dear = { width: 2_048, height: 2_048, steps: 50 };

test("a batch is filled from its own lot, however many lots of the shape came before", () => {
  const core = CoreDriver.leading();
  const crowd = limits.placementScanMax * 2;
  for (let place = 0; place < crowd; place += 1) {
    const project = `p${place}`;
    for (let index = 0; index < 40; index += 1) core.store(buildTask(index, { project, ...dear }));
  }

  const sizes = Array.from({ length: crowd }, (_, turn) => core.take(`w${turn}`, 4).leases.length);

  expect(new Set(sizes)).toEqual(new Set([4]));
});

test("tasks that come together are granted together, after each was told its place", () => {
  const core = CoreDriver.leading();
  for (const worker of ["a", "b"]) core.ask(worker, { slots: 4 });

  const effects = core.storeTogether(...buildTasks(8));

  const positions = only(effects, "announce-position").map(({ position }) => position);
  expect(positions).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const grants = only(effects, "grant").map(({ leases }) => leases.map(({ spec }) => spec?.index));
  expect(grants).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
});

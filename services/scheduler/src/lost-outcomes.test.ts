import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import { copyOutcomes, createMemoryFarm, type OutcomeLog } from "@zfarm/broker";
import {
  createJobId,
  defaultProject,
  FarmError,
  limits,
  OutcomeKind,
  type TaskSpec,
} from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { buildTask, outcomeOf } from "../testing/drive-core.ts";
import { LostOutcomes } from "./lost-outcomes.ts";

const ref = { project: defaultProject, job: createJobId() };
const idOf = (index: number) => ({ ...ref, index });

function specOf(index: number): TaskSpec {
  const { spec } = buildTask(index, { job: ref.job });
  if (spec === undefined) throw new Error("a built task has a spec");
  return spec;
}

const failed = (index: number) => outcomeOf(specOf(index), OutcomeKind.FAILED, BigInt(index + 1));

describe("a leader whose broker lost outcomes", () => {
  let blobs: BlobStore;
  let plain: OutcomeLog;
  let sought: LostOutcomes;
  const clock = createManualClock();

  beforeEach(async () => {
    blobs = createMemoryBlobStore();
    const before = copyOutcomes(createMemoryFarm().connect().outcomes, blobs);
    for (const index of [0, 1, 2]) await before.publish(failed(index));
    lookIn(blobs);
  });

  /** Over a broker that has none of them. */
  function lookIn(store: Pick<BlobStore, "kind" | "get" | "list">): void {
    plain = createMemoryFarm().connect().outcomes;
    const copied = copyOutcomes(plain, blobs);
    sought = new LostOutcomes(copied, { blobs: store, clock, log: silentLog });
  }

  test("finds one by its copy, and everybody sees it from then on", async () => {
    expect((await sought.find(idOf(1)))?.outcome).toEqual(failed(1));

    expect((await plain.find(idOf(1)))?.outcome).toEqual(failed(1));
    expect(await plain.find(idOf(0))).toBeUndefined();
  });

  test("finds those of a job beside what the broker still has", async () => {
    await plain.publish(failed(0));

    const found = (await sought.list(ref)).map(({ outcome }) => outcome);

    expect(found).toHaveLength(3);
    expect(found).toEqual(expect.arrayContaining([failed(0), failed(1), failed(2)]));
    expect(await plain.list(ref)).toHaveLength(3);
  });

  test("believes the broker where it has another one", async () => {
    const standing = outcomeOf(specOf(1), OutcomeKind.CANCELED, 0n);
    await plain.publish(standing);

    expect((await sought.find(idOf(1)))?.outcome).toEqual(standing);
  });

  test("finds nothing where nothing ended, and has no listing of a project", async () => {
    expect(await sought.find(idOf(7))).toBeUndefined();
    expect(await sought.listProject()).toBeUndefined();
  });

  test("puts back those of many tasks, and looks at no others", async () => {
    const stored = await sought.restoreAll([0, 2, 7].map(idOf), new AbortController().signal);

    expect(stored.map(({ outcome }) => outcome)).toEqual([failed(0), failed(2)]);
    expect(await plain.list(ref)).toHaveLength(2);
  });

  test("looks at nothing more once its term has ended", async () => {
    expect(await sought.restoreAll([idOf(0)], AbortSignal.abort())).toEqual([]);
    expect(await plain.list(ref)).toEqual([]);
  });

  test("waits no longer than it must for a store that hangs", async () => {
    const never = new Promise<never>(() => undefined);
    lookIn({
      kind: "memory",
      get: () => never,
      list: async function* () {
        yield await never;
      },
    });

    const looking = sought.restoreAll([idOf(0)], new AbortController().signal);
    await clock.advance(2 * limits.copiesStallMs);

    expect(await looking).toEqual([]);
    expect(await sought.find(idOf(0))).toBeUndefined();
  });

  test("leads on while the store is away, waits for it once, and looks again later", async () => {
    let asked = 0;
    let isAway = true;
    lookIn({
      kind: "memory",
      get: (key) => blobs.get(key),
      list: (prefix, after) => {
        asked += 1;
        if (isAway) throw new FarmError("STORE_UNAVAILABLE", "away");
        return blobs.list(prefix, after);
      },
    });

    expect(await sought.find(idOf(0))).toBeUndefined();
    expect(await sought.list(ref)).toEqual([]);
    expect(asked).toBe(1);

    isAway = false;
    await clock.advance(limits.copiesAskAgainMs);
    expect(await sought.list(ref)).toHaveLength(3);
  });
});

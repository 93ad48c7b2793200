import { defaultProject, type JobRef, jobIdOfRequest, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { decodeResumeToken, type ResumePoint } from "./tokens.ts";
import { type Told, WatchPosition } from "./watch-position.ts";

const job: JobRef = { project: defaultProject, job: jobIdOfRequest(defaultProject, "a") };
const start: ResumePoint = { revision: 0n, told: undefined };

/** An outcome of the task with the index, at the revision. */
function at(revision: number, index: number) {
  const spec = { ...job, index, pool: "default" };
  const outcome = { spec, kind: OutcomeKind.CANCELED, worker: "", fence: 0n, attempt: 0 };
  return { outcome, revision: BigInt(revision) };
}

const indexesOf = (told: readonly Pick<Told, "outcome">[]) =>
  told.map(({ outcome }) => outcome.spec?.index);

/** The point behind the last of these, as a client gives it back. */
function pointAfter(log: readonly ReturnType<typeof at>[]): ResumePoint {
  const token = new WatchPosition(job, start).take(log, true).at(-1)?.token ?? "";
  const point = decodeResumeToken(job, token);
  if (point === undefined) throw new Error(`${token} is a token`);
  return point;
}

describe("a watch that is resumed", () => {
  const log = [at(91, 1), at(92, 2), at(95, 3)];

  test("is told of what came behind its token, and of nothing twice", () => {
    for (let count = 1; count <= log.length; count += 1) {
      const position = new WatchPosition(job, pointAfter(log.slice(0, count)));

      expect(position.take(log, true)).toMatchObject(log.slice(count));
      expect(indexesOf(position.take([at(97, 4)], false))).toEqual([4]);
      expect(indexesOf(position.all)).toEqual([1, 2, 3, 4]);
    }
  });

  test("is told so too where its outcomes come one by one", () => {
    const position = new WatchPosition(job, pointAfter(log.slice(0, 2)));

    const told = log.map((each) => indexesOf(position.take([each], false)));

    expect(told).toEqual([[], [], [3]]);
  });

  test.each([
    ["others stand there in the same number", [at(91, 3), at(92, 2), at(93, 1)], [3, 2, 1]],
    ["some are missing", [at(91, 1), at(93, 2)], [1, 2]],
    ["more stand there", [at(90, 3), at(91, 1), at(92, 2)], [3, 1, 2]],
    ["none is left", [], []],
  ])("is told everything again where %s", (_case, restored, expected) => {
    const position = new WatchPosition(job, pointAfter(log.slice(0, 2)));

    expect(indexesOf(position.take(restored, true))).toEqual(expected);
  });

  test("is told everything again also where nothing says that all was read", () => {
    const position = new WatchPosition(job, pointAfter(log.slice(0, 2)));

    expect(indexesOf(position.take([at(91, 3)], false))).toEqual([]);
    expect(indexesOf(position.take([at(93, 1)], false))).toEqual([3, 1]);
    expect(indexesOf(position.take([at(94, 2)], false))).toEqual([2]);
  });

  test("by a token of an older gateway goes on behind its revision", () => {
    const position = new WatchPosition(job, { revision: 92n, told: undefined });

    expect(indexesOf(position.take(log, true))).toEqual([3]);
  });
});

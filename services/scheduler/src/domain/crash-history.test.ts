import { limits, type WorkerId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { CrashHistory } from "./crash-history.ts";

function crashedOn(...workers: string[]): CrashHistory {
  const history = new CrashHistory();
  for (const worker of workers) history.noteCrash(worker as WorkerId);
  return history;
}

function servingOf(...workers: string[]) {
  return workers.map((id) => ({ id: id as WorkerId }));
}

/** So many workers that serve. */
function* serving(count: number): Iterable<object> {
  for (let worker = 0; worker < count; worker += 1) yield {};
}

describe("a task under which workers crash", () => {
  test("is poison once three distinct workers died of it", () => {
    expect(crashedOn("w1", "w2").isPoison(serving(5))).toBe(false);
    expect(crashedOn("w1", "w2", "w3").isPoison(serving(5))).toBe(true);
  });

  test("is no poison because one worker dies again and again, while there are others", () => {
    expect(crashedOn("w1", "w1", "w1").isPoison(serving(3))).toBe(false);
    expect(crashedOn("w1", "w2", "w1").isPoison(serving(3))).toBe(false);
  });

  test("is poison after three crashes where the pool has fewer workers", () => {
    expect(crashedOn("w1", "w1").isPoison(serving(1))).toBe(false);
    expect(crashedOn("w1", "w1", "w1").isPoison(serving(1))).toBe(true);
    expect(crashedOn("w1", "w2", "w1").isPoison(serving(2))).toBe(true);
  });

  test("is judged by looking at no more workers than it takes", () => {
    let seen = 0;
    function* counted() {
      for (const worker of serving(5_000)) {
        seen += 1;
        yield worker;
      }
    }

    expect(crashedOn("w1", "w1").isPoison(counted())).toBe(false);
    expect(crashedOn("w1", "w1", "w1").isPoison(counted())).toBe(false);
    expect(seen).toBe(limits.poisonCrashes);
  });

  test("is given up after a bounded number of crashes, wherever they were", () => {
    const workers = Array.from({ length: limits.taskCrashesMax }, () => "w1");

    expect(crashedOn(...workers).isPoison(serving(9))).toBe(true);
  });

  test("goes to a worker it has not met, as long as there is one", () => {
    const history = crashedOn("w1", "w2");
    const w1 = "w1" as WorkerId;

    expect(history.avoids(w1, servingOf("w1", "w2", "w3"))).toBe(true);
    expect(history.avoids(w1, servingOf("w1", "w3"))).toBe(true);
    expect(history.avoids(w1, servingOf("w1", "w2"))).toBe(false);
    expect(history.avoids("w3" as WorkerId, servingOf("w1", "w2", "w3"))).toBe(false);
  });
});

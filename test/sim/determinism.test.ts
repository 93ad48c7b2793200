/** The same case is the same run: else a failing seed would be worth nothing. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "../repository.ts";
import { drawCase } from "./draw-case.ts";
import { mix } from "./random.ts";
import { runCase } from "./run-case.ts";

const from = 501;
const seeds = 8;

function hashHere(): number {
  let hash = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    hash = mix(hash ^ runCase(drawCase(seed)).hash);
  }
  return hash;
}

function hashElsewhere(): number {
  const script = join(repositoryRoot, "test/sim/main.ts");
  const options = ["--from", String(from), "--seeds", String(seeds)];
  const output = execFileSync(process.execPath, [script, ...options], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { hash } = JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as { hash: number };
  return hash;
}

test("a seed gives the same chain of events twice, and in another process", () => {
  const first = hashHere();

  expect(hashHere()).toBe(first);
  expect(hashElsewhere()).toBe(first);
});

test("seeds differ", () => {
  expect(runCase(drawCase(from)).hash).not.toBe(runCase(drawCase(from + 1)).hash);
});

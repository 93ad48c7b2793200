/** Would the simulation notice? Each known bad variant of the farm is caught by some seed. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../repository.ts";
import { drawCase } from "./draw-case.ts";
import { huntEvents, mutants } from "./mutants.ts";
import { runCase } from "./run-case.ts";

const hunt = join(repositoryRoot, "test/sim/hunt.ts");

describe.concurrent("a mutant is caught", () => {
  test.each(mutants)("$name", { timeout: 180_000 }, async ({ name, powerLoss = false }) => {
    const { stdout } = await promisify(execFile)(process.execPath, [hunt, name]);
    const caught = JSON.parse(stdout) as { seed: number; invariant: string } | null;

    expect(caught).not.toBeNull();
    process.stderr.write(`seed ${caught?.seed} (${caught?.invariant}): ${name}\n`);
    // The seed itself is innocent.
    const plain = runCase(drawCase(caught?.seed ?? 0, { events: huntEvents, powerLoss }));
    expect(plain.violation).toBeUndefined();
  });
});

test("there are enough mutants, and no two of a name", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  expect(mutants.length).toBeGreaterThanOrEqual(14);
});

/**
 * Makes a failing case small: takes out faults and work in ever smaller chunks as long as the same
 * invariant still breaks. Works on the data alone, so what is left is what matters.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SimCase } from "./case.ts";
import { runCase } from "./run-case.ts";

export const casesFolder = join(dirname(fileURLToPath(import.meta.url)), "cases");

/** How often a case is played to make it smaller. */
const runsMax = 1_500;

export function shrinkCase(simCase: SimCase, invariant: string): SimCase {
  let best = simCase;
  let runs = 0;
  const fails = (candidate: SimCase): boolean => {
    runs += 1;
    return runs <= runsMax && runCase(candidate).violation?.invariant === invariant;
  };
  // What is left of a case meets other noise; a few seeds give it the chance to fail again.
  const attempt = (candidate: SimCase): boolean => {
    for (let noise = 0; noise < 3; noise += 1) {
      const noisy = { ...candidate, seed: simCase.seed + noise };
      if (!fails(noisy)) continue;
      best = noisy;
      return true;
    }
    return false;
  };
  for (let before = -1; before !== sizeOf(best) && runs < runsMax; ) {
    before = sizeOf(best);
    shrinkList(best.faults, (faults) => attempt({ ...best, faults }));
    shrinkList(best.workload, (workload) => attempt({ ...best, workload }));
    shrinkNumbers(best, attempt);
  }
  return best;
}

function sizeOf({ faults, workload, options }: SimCase): number {
  return faults.length + workload.length + options.workers + options.schedulers;
}

/** Delta debugging: halves, quarters, down to single entries. */
function shrinkList<T>(list: readonly T[], attempt: (list: readonly T[]) => boolean): void {
  let left = list;
  for (let chunk = Math.ceil(left.length / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let at = 0; at < left.length; ) {
      const candidate = [...left.slice(0, at), ...left.slice(at + chunk)];
      if (attempt(candidate)) left = candidate;
      else at += chunk;
    }
  }
}

function shrinkNumbers(simCase: SimCase, attempt: (candidate: SimCase) => boolean): void {
  let { options } = simCase;
  for (const name of ["workers", "schedulers", "slots"] as const) {
    for (const value of [1, 2, 3]) {
      if (name === "workers" && value < options.pools) continue;
      if (value >= options[name]) break;
      const smaller = { ...options, [name]: value };
      if (!attempt({ ...simCase, options: smaller })) continue;
      options = smaller;
      break;
    }
  }
}

/** Gives the name of the file. */
export function writeCase(simCase: SimCase, invariant: string): string {
  mkdirSync(casesFolder, { recursive: true });
  const file = join(casesFolder, `${invariant.toLowerCase()}-seed-${simCase.seed}.json`);
  writeFileSync(file, `${JSON.stringify(simCase, undefined, 1)}\n`);
  return file;
}

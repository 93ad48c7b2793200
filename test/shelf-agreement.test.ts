/**
 * What the leader believes of a worker's adapters and what the worker says of them: two pieces of
 * code in two services that follow one rule.
 */
import type { LoraRef } from "@zfarm/contract";
import { ShelfTier } from "@zfarm/contract";
import { Registry, silentLog } from "@zfarm/runtime";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LoraLedger } from "../services/gpu-worker/src/domain/lora-ledger.ts";
import { LoraShelf } from "../services/gpu-worker/src/shelf/lora-shelf.ts";
import { createShelfMetrics } from "../services/gpu-worker/src/shelf/shelf-metrics.ts";
import { Shelf as LeaderShelf } from "../services/scheduler/src/domain/shelf.ts";

const names = Array.from({ length: 8 }, (_, at) => `${at}`.repeat(64));
const wordOf = { [ShelfTier.DEVICE]: "device", [ShelfTier.RAM]: "ram", [ShelfTier.DISK]: "disk" };

function lora(at: number, weight: number): LoraRef {
  return { digest: names[at] ?? "", weight, rank: 16, sizeBytes: BigInt(3 + at) };
}

/** A shelf whose engine loads at once what it says it takes, and that has nothing on its disk. */
function createShelf(deviceBytes: number): LoraShelf {
  return new LoraShelf({
    ledger: new LoraLedger({ ram: 1_000, device: deviceBytes }),
    folder: { items: () => [], has: () => false, bytes: 0, drop: async () => {} },
    fetcher: { fetch: async (digest) => ({ kind: "there", path: digest, from: "store" }) },
    engine: {
      loadLora: async (digest) => ({ kind: "loaded", bytes: 3 + names.indexOf(digest), loadMs: 1 }),
      dropLora: () => {},
    },
    deviceBytes,
    rankBudget: 0,
    log: silentLog,
    metrics: createShelfMetrics(new Registry()),
  });
}

function tiersOf(shelf: LoraShelf): Map<string, string> {
  const { items } = shelf.report();
  return new Map(items.map(({ digest, tier }) => [digest, wordOf[tier as 1 | 2 | 3]]));
}

test("a worker and its leader agree on every tier after any grants", async () => {
  const stack = fc.uniqueArray(fc.nat(7), { maxLength: 3 });
  const use = fc.record({ stack, weight: fc.constantFrom(0.5, 1) });
  const grants = fc.array(fc.array(use, { minLength: 1, maxLength: 4 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      grants,
      fc.integer({ min: 5, max: 60 }),
      fc.boolean(),
      async (all, bytes, tells) => {
        const worker = createShelf(bytes);
        const leader = new LeaderShelf();
        leader.report(worker.report());
        for (const grant of all) {
          const stacks = grant.map((one) => one.stack.map((at) => lora(at, one.weight)));
          noteAsLeader(leader, stacks);
          worker.note(stacks);
          for (const refs of stacks) {
            const hold = worker.hold(refs);
            expect((await worker.bring(hold)).kind).toBe("ready");
            worker.release(hold);
          }
          if (tells) leader.report(worker.report());
          const said = tiersOf(worker);
          for (const name of names) expect(said.get(name) ?? "none").toBe(leader.tierOf(name));
        }
      },
    ),
  );
});

/** The leader takes note of each stack of a grant once, as its batch rules do. */
function noteAsLeader(leader: LeaderShelf, stacks: readonly LoraRef[][]): void {
  const seen = new Set<string>();
  for (const refs of stacks) {
    const name = refs.map(({ digest, weight }) => `${digest}*${weight}`).join(" ");
    if (refs.length > 0 && !seen.has(name)) leader.note(refs);
    seen.add(name);
  }
}

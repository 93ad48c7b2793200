import type { LoraRef } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LoraLedger } from "./lora-ledger.ts";

/** An adapter of 10 bytes unless another size matters. */
function lora(digest: string, bytes = 10): LoraRef {
  return { digest, weight: 1, rank: 16, sizeBytes: BigInt(bytes) };
}

/** Brings a stack all the way, for a task that ends at once. */
function use(ledger: LoraLedger, ...stack: LoraRef[]): void {
  ledger.note(stack);
  ledger.want(stack);
  expect(ledger.pin(stack).kind).toBe("pinned");
  for (const { digest, sizeBytes } of stack) ledger.load(digest, Number(sizeBytes));
  ledger.unpin(stack);
}

describe("room in the engine's memory", () => {
  test("is made by what was used longest ago", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    use(ledger, lora("a"));
    use(ledger, lora("b"));
    use(ledger, lora("a"));

    ledger.want([lora("c")]);

    expect(ledger.pin([lora("c")])).toEqual({ kind: "pinned", victims: ["b"] });
    expect(["a", "b"].map((digest) => ledger.isLoaded(digest))).toEqual([true, false]);
  });

  test("is never made by an adapter that a task is drawn with", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    const [a, b] = [lora("a"), lora("b")];
    ledger.want([a]);
    ledger.pin([a]);
    ledger.load("a", 10);
    use(ledger, b);

    ledger.want([lora("c", 20)]);
    expect(ledger.pin([lora("c", 20)])).toEqual({ kind: "wait" });

    ledger.unpin([a]);
    expect(ledger.pin([lora("c", 20)])).toEqual({ kind: "pinned", victims: ["a", "b"] });
  });

  test("is made last by those whose owners want them kept, until a task says otherwise", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    use(ledger, { ...lora("a"), pinned: true });
    use(ledger, lora("b"));

    ledger.want([lora("c")]);
    expect(ledger.pin([lora("c")])).toEqual({ kind: "pinned", victims: ["b"] });
    ledger.unpin([lora("c")]);

    use(ledger, lora("a"));
    use(ledger, lora("d"));
    ledger.want([lora("e")]);
    expect(ledger.pin([lora("e")])).toEqual({ kind: "pinned", victims: ["a"] });
  });

  test("is there at once for what is there already", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    use(ledger, lora("a"), lora("b"));

    ledger.want([lora("a")]);

    expect(ledger.pin([lora("a")])).toEqual({ kind: "pinned", victims: [] });
  });

  test("can never be made for a stack that is larger than all of it", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    const stack = [lora("a"), lora("b", 11)];
    ledger.want(stack);

    expect(ledger.pin(stack)).toEqual({ kind: "never", needsBytes: 21 });
    ledger.giveUp(stack);
    expect(ledger.items()).toEqual([]);
  });

  test("is counted as the engine says, once it has said so", () => {
    const ledger = new LoraLedger({ ram: 30, device: 30 });
    use(ledger, lora("a"));
    use(ledger, lora("b"));

    expect(ledger.load("b", 25)).toEqual(["a"]);
    expect(ledger.items()).toMatchObject([{ digest: "b", bytes: 25 }]);
  });

  test("is all free again when the engine is gone", () => {
    const ledger = new LoraLedger({ ram: 20, device: 20 });
    use(ledger, lora("a"));
    const held = [lora("b")];
    ledger.want(held);
    ledger.pin(held);
    ledger.load("b", 10);

    ledger.loseAll();

    expect(ledger.isLoaded("b")).toBe(false);
    ledger.unpin(held);
    expect(ledger.items()).toEqual([]);
  });
});

describe("tiers", () => {
  test("what does not fit on the device beside newer ones counts as in memory", () => {
    const ledger = new LoraLedger({ ram: 100, device: 20 });
    for (const digest of ["a", "b", "c"]) use(ledger, lora(digest));

    expect(["a", "b", "c", "d"].map((digest) => ledger.tierOf(digest))).toEqual([
      "ram",
      "device",
      "device",
      "none",
    ]);
    expect([ledger.bytesIn("device"), ledger.bytesIn("ram")]).toEqual([20, 10]);
  });

  test("what was granted is told as on the device while it is on its way", () => {
    const ledger = new LoraLedger({ ram: 100, device: 20 });
    ledger.note([lora("a")]);
    ledger.want([lora("a")]);

    expect(ledger.items()).toEqual([{ digest: "a", bytes: 10, tier: "device" }]);
    ledger.giveUp([lora("a")]);
    expect(ledger.items()).toEqual([]);
  });
});

test("memory is never overdrawn and nothing that is held leaves, whatever comes and goes", () => {
  const stack = fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 3 });
  const acts = fc.array(fc.oneof(stack, fc.constant("end" as const)), { maxLength: 80 });
  fc.assert(
    fc.property(acts, fc.integer({ min: 10, max: 60 }), (history, ram) => {
      const ledger = new LoraLedger({ ram, device: ram / 2 });
      const held: LoraRef[][] = [];
      for (const act of history) {
        if (act === "end") {
          const ended = held.shift();
          if (ended !== undefined) ledger.unpin(ended);
          continue;
        }
        const refs = act.map((name) => lora(`${name}`, 3 + name));
        ledger.note(refs);
        ledger.want(refs);
        if (ledger.pin(refs).kind === "pinned") {
          for (const { digest, sizeBytes } of refs) ledger.load(digest, Number(sizeBytes));
          held.push(refs);
        } else {
          ledger.giveUp(refs);
        }
        expect(ledger.bytesIn("device") + ledger.bytesIn("ram")).toBeLessThanOrEqual(ram);
        for (const { digest } of held.flat()) expect(ledger.isLoaded(digest)).toBe(true);
      }
      for (const refs of held) ledger.unpin(refs);
      expect(ledger.items().every(({ digest }) => !ledger.isNeeded(digest))).toBe(true);
    }),
  );
});

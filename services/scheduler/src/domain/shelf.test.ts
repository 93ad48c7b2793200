import { type LoraRef, limits, ShelfTier } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Shelf } from "./shelf.ts";

/** An adapter of 10 bytes unless another size matters. */
function lora(digest: string, bytes = 10): LoraRef {
  return { digest, weight: 1, rank: 16, sizeBytes: BigInt(bytes) };
}

function item(digest: string, tier: ShelfTier = ShelfTier.DEVICE, bytes = 10) {
  return { digest, tier, sizeBytes: BigInt(bytes) };
}

/** A shelf with room for `bytes`, or as much as you like. */
function shelfOf(bytes = 0, ...items: ReturnType<typeof item>[]): Shelf {
  const shelf = new Shelf();
  shelf.report({ items, deviceBytes: BigInt(bytes), rankBudget: 0 });
  return shelf;
}

const { DEVICE, RAM, DISK } = ShelfTier;

describe("what a worker's shelf holds", () => {
  test("is what the worker says", () => {
    const shelf = shelfOf(100, item("a", DEVICE), item("b", RAM), item("c", DISK));

    expect(["a", "b", "c", "d"].map((digest) => shelf.tierOf(digest))).toEqual([
      "device",
      "ram",
      "disk",
      "none",
    ]);
    expect([...shelf.digests()]).toEqual(["a", "b", "c"]);
  });

  test("counts a granted adapter as on the device at once", () => {
    const shelf = shelfOf(100, item("a", RAM));

    shelf.note([lora("a"), lora("b")]);

    expect([shelf.tierOf("a"), shelf.tierOf("b")]).toEqual(["device", "device"]);
  });

  test("displaces what was used longest ago, and never what is being used", () => {
    const shelf = shelfOf(30);
    shelf.note([lora("a")]);
    shelf.note([lora("b")]);
    shelf.note([lora("c")]);
    shelf.note([lora("a")]);

    shelf.note([lora("d")]);

    expect(shelf.tierOf("b")).toBe("ram");
    expect(["a", "c", "d"].map((digest) => shelf.tierOf(digest))).toEqual(
      Array.from({ length: 3 }, () => "device"),
    );

    shelf.note([lora("x", 40)]);
    expect(shelf.tierOf("x")).toBe("device");
    expect(shelf.tierOf("d")).toBe("ram");
  });

  test("believes the worker, but for a grant that it may not know yet", () => {
    const shelf = shelfOf(100);
    shelf.note([lora("a")]);

    shelf.report({ items: [item("b")], deviceBytes: 100n, rankBudget: 0 });
    expect([shelf.tierOf("a"), shelf.tierOf("b")]).toEqual(["device", "device"]);

    shelf.report({ items: [item("b")], deviceBytes: 100n, rankBudget: 0 });
    expect([shelf.tierOf("a"), shelf.tierOf("b")]).toEqual(["none", "device"]);
  });

  test("keeps the order of use through a report", () => {
    const shelf = shelfOf(20);
    shelf.note([lora("a")]);
    shelf.note([lora("b")]);
    shelf.note([lora("a")]);

    shelf.report({ items: [item("a"), item("b")], deviceBytes: 20n, rankBudget: 0 });
    shelf.note([lora("c")]);

    expect(["a", "b", "c"].map((digest) => shelf.tierOf(digest))).toEqual([
      "device",
      "ram",
      "device",
    ]);
  });

  test("remembers no more than its bound, the nearest first", () => {
    const many = Array.from({ length: limits.shelfItemsMax }, (_, index) => item(`${index}`, DISK));
    const shelf = shelfOf(0, ...many, item("near", DEVICE));

    expect([...shelf.digests()]).toHaveLength(limits.shelfItemsMax);
    expect(shelf.tierOf("near")).toBe("device");

    for (let index = 0; index < 1_000; index += 1) shelf.note([lora(`new ${index}`)]);
    expect([...shelf.digests()]).toHaveLength(limits.shelfItemsMax);
    expect(shelf.tierOf("new 999")).toBe("device");
  });
});

describe("what a stack costs to load", () => {
  test("is the bytes that are not on the device", () => {
    const shelf = shelfOf(100, item("a", DEVICE), item("b", RAM));

    expect(shelf.loadBytes([lora("a"), lora("b"), lora("c", 5)])).toBe(15);
    expect(shelf.loadBytes([])).toBe(0);
  });

  test("takes longer the farther the adapter is", () => {
    const shelf = shelfOf(1e9, item("a", DEVICE), item("b", RAM), item("c", DISK));
    const times = ["a", "b", "c", "d"].map((digest) => shelf.loadMs([lora(digest, 1e8)]));

    expect(times).toEqual([0, 50, 200, 1_000]);
  });

  test("is said in a word too", () => {
    const shelf = shelfOf(100, item("a", DEVICE), item("b", RAM));

    expect(shelf.stateOf([])).toBe("none");
    expect(shelf.stateOf([lora("a")])).toBe("warm");
    expect(shelf.stateOf([lora("a"), lora("b")])).toBe("cold");
  });
});

describe("warmth", () => {
  test("fades with the bytes of other adapters loaded since, and with nothing else", () => {
    const shelf = shelfOf(100);
    shelf.note([lora("a")]);
    expect(shelf.warmth("a")).toBe(1);

    shelf.note([lora("b", 30)]);
    shelf.note([lora("b", 30)]);
    expect(shelf.warmth("a")).toBeCloseTo(0.7);

    shelf.note([lora("a")]);
    expect(shelf.warmth("a")).toBe(1);
  });

  test("is nothing off the device", () => {
    const shelf = shelfOf(100, item("b", RAM));

    expect([shelf.warmth("b"), shelf.warmth("c")]).toEqual([0, 0]);
  });

  test("counts the bytes at hand that somebody wants", () => {
    const shelf = shelfOf(100, item("a", DEVICE, 1), item("b", RAM, 2), item("c", DISK, 4));

    expect(shelf.warmBytes(() => true)).toBe(3);
    expect(shelf.warmBytes((digest) => digest === "b")).toBe(2);
  });
});

test("a shelf agrees with a plain list in order of use, whatever is granted", () => {
  const stacks = fc.array(fc.uniqueArray(fc.nat(12), { maxLength: 3 }), { maxLength: 60 });
  fc.assert(
    fc.property(stacks, fc.integer({ min: 1, max: 80 }), (grants, budget) => {
      const shelf = shelfOf(budget);
      const bytesOf = (name: number) => 3 + (name % 5);
      let onDevice: number[] = [];

      for (const names of grants) {
        shelf.note(names.map((name) => lora(`${name}`, bytesOf(name))));
        onDevice = [...onDevice.filter((name) => !names.includes(name)), ...names];
        const isOver = () => onDevice.reduce((sum, name) => sum + bytesOf(name), 0) > budget;
        while (isOver() && onDevice.length > names.length) onDevice.shift();

        for (let name = 0; name <= 12; name += 1) {
          expect(shelf.tierOf(`${name}`) === "device").toBe(onDevice.includes(name));
          expect(shelf.warmth(`${name}`)).toBeGreaterThanOrEqual(0);
          expect(shelf.warmth(`${name}`)).toBeLessThanOrEqual(1);
        }
      }
    }),
  );
});

import { describe, expect, test } from "vitest";
import { Arrivals } from "./arrivals.ts";

const ignore = (): void => undefined;

describe("Arrivals", () => {
  test("give all that has come, in order, and then what comes next", async () => {
    const arrivals = new Arrivals<number>(10, ignore);
    arrivals.add(1);
    arrivals.add(2);

    expect(await arrivals.take()).toEqual([1, 2]);
    const next = arrivals.take();
    arrivals.add(3);
    expect(await next).toEqual([3]);
    const another = arrivals.take();
    arrivals.add(4);
    expect(await another).toEqual([4]);
  });

  test("give what came before they were closed, and then nothing", async () => {
    const arrivals = new Arrivals<number>(10, ignore);
    arrivals.add(1);
    arrivals.close();

    expect(await arrivals.take()).toEqual([1]);
    expect(await arrivals.take()).toEqual([]);
  });

  test("let go of who waits when they are closed", async () => {
    const arrivals = new Arrivals<number>(10, ignore);
    const waiting = arrivals.take();

    arrivals.close();

    expect(await waiting).toEqual([]);
  });

  test("say when more is unread than may be, and lose nothing of it", async () => {
    let full = 0;
    const arrivals = new Arrivals<number>(2, () => {
      full += 1;
    });
    for (const item of [1, 2]) arrivals.add(item);
    expect(full).toBe(0);

    arrivals.add(3);

    expect(full).toBe(1);
    expect(arrivals.unread).toBe(3);
    expect(await arrivals.take()).toEqual([1, 2, 3]);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StrideLine, StrideMember } from "./stride-line.ts";

/** A line with waiting members of these rates, named by their place. */
function lineOf(...rates: number[]): { line: StrideLine<number>; members: StrideMember<number>[] } {
  const line = new StrideLine<number>();
  const members = rates.map((rate, place) => new StrideMember(place, rate));
  for (const member of members) line.add(member);
  return { line, members };
}

/** Serves the first one so often, each time at the same cost; who was served, in order. */
function serve(line: StrideLine<number>, times: number, cost = 1): number[] {
  return Array.from({ length: times }, () => {
    const { first } = line;
    if (first === undefined) throw new RangeError("an empty line");
    line.charge(first, cost);
    return first.target;
  });
}

function countOf(served: readonly number[], target: number): number {
  return served.filter((each) => each === target).length;
}

/** Adds a value to the range that is kept under a name; how wide it is then. */
function widen(
  ranges: Map<string, { low: number; high: number }>,
  name: string,
  value: number,
): number {
  const { low, high } = ranges.get(name) ?? { low: value, high: value };
  const range = { low: Math.min(low, value), high: Math.max(high, value) };
  ranges.set(name, range);
  return range.high - range.low;
}

describe("a line of members with rates", () => {
  test("serves equal rates in turn, in the order of joining", () => {
    const { line } = lineOf(1, 1, 1);

    expect(serve(line, 6)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("serves by rate", () => {
    const { line } = lineOf(3, 1);

    expect(countOf(serve(line, 400), 0)).toBe(300);
  });

  test("counts cost, not turns", () => {
    const { line, members } = lineOf(1, 1);
    const [big] = members;
    const cost = [0, 0];
    for (let turn = 0; turn < 500; turn += 1) {
      const { first } = line;
      if (first === undefined) throw new RangeError("an empty line");
      const price = first === big ? 4 : 1;
      line.charge(first, price);
      cost[first.target] = (cost[first.target] ?? 0) + price;
    }

    expect(Math.abs((cost[0] ?? 0) - (cost[1] ?? 0))).toBeLessThanOrEqual(5);
  });

  test("gives no credit for a time spent idle", () => {
    const { line, members } = lineOf(1, 1);
    const [, idle] = members;
    if (idle === undefined) throw new RangeError("no member");
    line.remove(idle);
    serve(line, 10_000);

    line.add(idle);

    expect(countOf(serve(line, 100), 1)).toBe(50);
  });

  test("keeps the debt of who leaves and comes back while others wait", () => {
    const { line, members } = lineOf(1, 1);
    const [debtor] = members;
    if (debtor === undefined) throw new RangeError("no member");
    line.charge(debtor, 10);

    line.remove(debtor);
    line.add(debtor);

    expect(serve(line, 10)).toEqual(Array.from({ length: 10 }, () => 1));
  });

  test("forgets debts when nobody waits any more", () => {
    const { line, members } = lineOf(1, 1);
    const [debtor, other] = members;
    if (debtor === undefined || other === undefined) throw new RangeError("no member");
    line.charge(debtor, 1_000);
    line.remove(debtor);
    line.remove(other);

    line.add(debtor);
    line.add(other);

    expect(serve(line, 4)).toEqual([0, 1, 0, 1]);
  });

  test("gives back what was booked too high", () => {
    const { line, members } = lineOf(1, 1);
    const [overcharged] = members;
    if (overcharged === undefined) throw new RangeError("no member");
    line.charge(overcharged, 100);

    line.charge(overcharged, -99);

    expect(countOf(serve(line, 100), 0)).toBeGreaterThanOrEqual(49);
  });

  test("books what comes after a member has left", () => {
    const { line, members } = lineOf(1, 1);
    const [leaver] = members;
    if (leaver === undefined) throw new RangeError("no member");
    line.remove(leaver);

    line.charge(leaver, 5);
    line.add(leaver);

    // The sixth goes to the older of two equal passes, as the leaver joined anew.
    expect(serve(line, 7)).toEqual([1, 1, 1, 1, 1, 1, 0]);
  });

  test("shows who comes first without moving anybody", () => {
    const { line } = lineOf(1, 1, 1);
    serve(line, 1);

    expect(line.peek(2).map(({ target }) => target)).toEqual([1, 2]);
    expect(line.peek(9).map(({ target }) => target)).toEqual([1, 2, 0]);
    expect(serve(line, 2)).toEqual([1, 2]);
  });

  test("takes a new rate for what is charged from then on", () => {
    const { line, members } = lineOf(1, 1);
    serve(line, 100);
    const [faster] = members;
    if (faster === undefined) throw new RangeError("no member");

    faster.rate = 4;

    expect(countOf(serve(line, 500), 0)).toBe(400);
  });

  test("refuses rates and costs that are no numbers", () => {
    const { line, members } = lineOf(1);
    const [member] = members;
    if (member === undefined) throw new RangeError("no member");

    for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new StrideMember("x", rate)).toThrow(RangeError);
    }
    expect(() => line.charge(member, Number.NaN)).toThrow(RangeError);
  });

  test("is exact enough after a year of a large farm", () => {
    const { line, members } = lineOf(1, 1);
    for (const member of members) line.charge(member, 3e14);

    const served = serve(line, 10_000, 1_234.567);

    expect(countOf(served, 0)).toBe(5_000);
  });
});

describe("any mix of joining, leaving and serving", () => {
  const rates = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), {
    minLength: 2,
    maxLength: 5,
  });
  const move = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("serve" as const), cost: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("join" as const), who: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), who: fc.nat(4) }) },
  );

  test("while two members wait they get their shares, up to one largest cost of each", () => {
    fc.assert(
      fc.property(rates, fc.array(move, { maxLength: 300 }), (memberRates, moves) => {
        const { line, members } = lineOf(...memberRates);
        const had = members.map(() => 0);
        const dearest = members.map(() => 0);
        const gaps = new Map<string, { low: number; high: number }>();
        const pairs = members.flatMap((one, place) =>
          members.slice(place + 1).map((other) => [one, other] as const),
        );

        for (const each of moves) {
          const member = each.kind === "serve" ? line.first : members[each.who];
          if (member === undefined) continue;
          if (each.kind === "join") line.add(member);
          else if (each.kind === "leave") line.remove(member);
          else {
            line.charge(member, each.cost);
            const share = each.cost / member.rate;
            had[member.target] = (had[member.target] ?? 0) + share;
            dearest[member.target] = Math.max(dearest[member.target] ?? 0, share);
          }

          for (const [one, other] of pairs) {
            const pair = `${one.target} ${other.target}`;
            const gap = (had[one.target] ?? 0) - (had[other.target] ?? 0);
            const bound = (dearest[one.target] ?? 0) + (dearest[other.target] ?? 0);
            if (!one.isIn || !other.isIn) gaps.delete(pair);
            else expect(widen(gaps, pair, gap)).toBeLessThanOrEqual(bound + 1e-6);
          }
        }
      }),
    );
  });
});

/** What all hands promise that act at once: those on Kubernetes and on one machine keep it. */
import { defaultPool, type WorkerId } from "@zfarm/contract";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Actuator, PoolFleet, PoolScaling, ScalingResult } from "../src/autoscale/actuator.ts";

/** A default pool of its own that some hands mind. */
export interface PoolUnderTest {
  /** Hands over it, as a leader opens them. */
  open(): Promise<Actuator>;
  /** Who is there, once there are that many and all of them are ready. */
  settled(count: number): Promise<readonly string[]>;
  /** Somebody else asks for one more. */
  raise(): Promise<void>;
  /** One goes by itself, and another one comes in its place. */
  replace(worker: WorkerId): Promise<void>;
}

const never = new AbortController().signal;

/** @param createPool Resolves once that many workers are ready; no two calls have one name. */
export function defineActuatorContract(
  name: string,
  createPool: (name: string, workers: number) => Promise<PoolUnderTest>,
): void {
  const begin = async (test: string, workers: number) => {
    const pool = await createPool(test, workers);
    return { pool, hands: await openHands(pool) };
  };

  describe(`what hands on ${name} promise`, () => {
    defineSeeing(begin);
    defineScaling(begin);
    defineConflicts(begin);
  });
}

type Begin = (
  name: string,
  workers: number,
) => Promise<{ readonly pool: PoolUnderTest; readonly hands: Actuator }>;

async function openHands(pool: PoolUnderTest): Promise<Actuator> {
  const hands = await pool.open();
  onTestFinished(() => hands.close());
  return hands;
}

async function look(hands: Actuator): Promise<PoolFleet> {
  const [fleet] = await hands.observe(never);
  expect(fleet).toBeDefined();
  return fleet as PoolFleet;
}

function scale(hands: Actuator, scaling: Partial<PoolScaling>): Promise<ScalingResult> {
  const all = { pool: defaultPool, desired: 0, target: 0, victims: [], reason: "backlog" };
  return hands.apply({ ...all, ...scaling }, never);
}

function namesOf({ members }: PoolFleet): WorkerId[] {
  const staying = members.filter(({ phase }) => phase !== "stopping");
  return staying.map(({ worker }) => worker).toSorted();
}

function defineSeeing(begin: Begin): void {
  test("they see every worker of the pool, ready since when", async () => {
    const { pool, hands } = await begin("see", 2);

    const fleet = await look(hands);

    expect(fleet.target).toBe(2);
    expect(namesOf(fleet)).toEqual((await pool.settled(2)).toSorted());
    for (const { phase, createdAt, readyAt } of fleet.members) {
      expect(phase).toBe("ready");
      expect(readyAt).toBeGreaterThanOrEqual(createdAt);
    }
  });

  test("those of the next leader see what the ones before left, and go on", async () => {
    const { pool, hands } = await begin("next", 1);
    await look(hands);
    await scale(hands, { desired: 2, target: 1 });
    await pool.settled(2);

    const others = await openHands(pool);

    expect(await look(others)).toEqual(await look(hands));
    expect(await scale(others, { desired: 3, target: 2 })).toBe("applied");
    expect(await scale(hands, { desired: 3, target: 2 })).toBe("conflict");
    expect(await pool.settled(3)).toHaveLength(3);
  });
}

function defineScaling(begin: Begin): void {
  test("they ask for more, from zero too", async () => {
    const { pool, hands } = await begin("more", 0);
    expect(await look(hands)).toMatchObject({ target: 0, members: [] });

    expect(await scale(hands, { desired: 3, target: 0 })).toBe("applied");

    await pool.settled(3);
    expect((await look(hands)).target).toBe(3);
  });

  test("they take the victims away and nobody else, ten times in a row", async () => {
    const { pool, hands } = await begin("less", 12);
    for (let left = 11; left > 1; left -= 1) {
      const fleet = await look(hands);
      const names = namesOf(fleet);
      // Neither the oldest nor the newest, so that chance does not help.
      const victim = names[left % names.length] as WorkerId;

      const result = await scale(hands, { desired: left, target: fleet.target, victims: [victim] });

      expect(result).toBe("applied");
      const after = (await pool.settled(left)).toSorted();
      expect(after).toEqual(names.filter((each) => each !== victim));
    }
  });
}

function defineConflicts(begin: Begin): void {
  test("they change nothing against somebody who changed the number meanwhile", async () => {
    const { pool, hands } = await begin("race", 3);
    const victims = namesOf(await look(hands)).slice(0, 1);
    await pool.raise();

    expect(await scale(hands, { desired: 2, target: 3, victims })).toBe("conflict");

    expect(await pool.settled(4)).toEqual(expect.arrayContaining(victims));
  });

  test("they take nobody in place of a victim that is gone already", async () => {
    const { pool, hands } = await begin("gone", 3);
    const [first, second] = namesOf(await look(hands)) as [WorkerId, WorkerId];
    await pool.replace(first);

    const result = await scale(hands, { desired: 1, target: 3, victims: [first, second] });

    expect(result).toBe("conflict");
    expect(await pool.settled(3)).toContain(second);
  });
}

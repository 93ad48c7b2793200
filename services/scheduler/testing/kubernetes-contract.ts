/** What the hands on Kubernetes promise; a real control plane and the fake one both keep it. */
import { defaultPool, type WorkerId } from "@zfarm/contract";
import { ConfigError, Registry, silentLog, systemClock } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { PoolFleet, PoolScaling, ScalingResult } from "../src/autoscale/actuator.ts";
import { costKey, markKey } from "../src/autoscale/kubernetes/deletion-mark.ts";
import type { KubernetesActuator } from "../src/autoscale/kubernetes/kubernetes-actuator.ts";
import type { KubernetesConfig } from "../src/autoscale/kubernetes/kubernetes-config.ts";
import { openKubernetes } from "../src/autoscale/kubernetes/open-kubernetes.ts";

export interface SeenPod {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ClusterUnderTest {
  readonly config: KubernetesConfig;
  /** Resolves once that many pods are ready. */
  deploy(name: string, replicas: number): Promise<void>;
  scale(name: string, replicas: number): Promise<void>;
  /** Once there are that many of a Deployment, and all are ready. */
  settled(name: string, count: number): Promise<readonly SeenPod[]>;
  annotate(pod: string, annotations: Readonly<Record<string, string>>): Promise<void>;
  deletePod(name: string): Promise<void>;
  /** A HorizontalPodAutoscaler for the Deployment; what it gives takes it away. */
  addAutoscaler(deployment: string): Promise<() => Promise<void>>;
  /** What the Deployment's events say. */
  events(deployment: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** A cluster that is there while the tests run. */
type GetCluster = () => ClusterUnderTest;

export function defineKubernetesContract(
  name: string,
  openCluster: () => Promise<ClusterUnderTest>,
): void {
  describe(`hands on ${name}`, () => {
    let cluster: ClusterUnderTest;
    beforeAll(async () => {
      cluster = await openCluster();
    });
    afterAll(async () => cluster?.close());

    defineSeeing(() => cluster);
    defineScaling(() => cluster);
    defineConflicts(() => cluster);
    defineOtherScalers(() => cluster);
  });
}

async function openHands({ config }: ClusterUnderTest, deployment: string) {
  const actuator = await openKubernetes({
    config,
    targets: new Map([[defaultPool, deployment]]),
    clock: systemClock,
    log: silentLog,
    registry: new Registry(),
    stop: never,
  });
  onTestFinished(() => actuator.close());
  return actuator;
}

async function look(hands: KubernetesActuator): Promise<PoolFleet> {
  const [fleet] = await hands.observe(never);
  expect(fleet).toBeDefined();
  return fleet as PoolFleet;
}

function scale(hands: KubernetesActuator, scaling: Partial<PoolScaling>): Promise<ScalingResult> {
  const all = { pool: defaultPool, desired: 0, target: 0, victims: [], reason: "backlog" };
  return hands.apply({ ...all, ...scaling }, never);
}

function marksOf(pods: readonly SeenPod[]): string[] {
  return pods
    .filter(({ annotations }) => markKey in annotations || costKey in annotations)
    .map(nameOf);
}

function defineSeeing(getCluster: GetCluster): void {
  test("see every pod of the pool's Deployment as a worker, ready since when", async () => {
    const cluster = getCluster();
    await cluster.deploy("see", 2);
    const hands = await openHands(cluster, "see");

    const fleet = await look(hands);

    const pods = await cluster.settled("see", 2);
    expect(fleet.target).toBe(2);
    expect(fleet.members.map(({ worker }) => worker).sort()).toEqual(pods.map(nameOf).sort());
    for (const { phase, createdAt, readyAt } of fleet.members) {
      expect(phase).toBe("ready");
      expect(readyAt).toBeGreaterThanOrEqual(createdAt);
    }
  });

  test("take back a mark that served no purpose, and leave the cost that was there", async () => {
    const cluster = getCluster();
    await cluster.deploy("marks", 2);
    const [one, other] = await cluster.settled("marks", 2);
    await cluster.annotate(one?.name ?? "", { [costKey]: "-1000000", [markKey]: "7" });
    await cluster.annotate(other?.name ?? "", { [costKey]: "-1000000", [markKey]: "" });
    const hands = await openHands(cluster, "marks");

    await look(hands);

    const pods = await cluster.settled("marks", 2);
    const costs = pods.map(({ annotations }) => annotations[costKey]);
    expect(new Set(costs)).toEqual(new Set(["7", undefined]));
    expect(pods.filter(({ annotations }) => markKey in annotations)).toEqual([]);
  });
}

function defineScaling(getCluster: GetCluster): void {
  test("ask for more, from zero too, and say why in an event", async () => {
    const cluster = getCluster();
    await cluster.deploy("more", 0);
    const hands = await openHands(cluster, "more");
    expect(await look(hands)).toMatchObject({ target: 0, members: [] });

    expect(await scale(hands, { desired: 3, target: 0 })).toBe("applied");

    await cluster.settled("more", 3);
    expect((await look(hands)).target).toBe(3);
    const events = await cluster.events("more");
    expect(events).toContain("Workers of pool default: 0 to 3 (backlog)");
  });

  test("take the victims away and nobody else, ten times in a row", async () => {
    const cluster = getCluster();
    await cluster.deploy("less", 12);
    const hands = await openHands(cluster, "less");
    for (let left = 11; left > 1; left -= 1) {
      const { members, target } = await look(hands);
      const names = members.filter(({ phase }) => phase === "ready").map(nameOfMember);
      // Neither the oldest nor the newest, so that chance does not help.
      const victim = names.toSorted()[left % names.length] as WorkerId;

      const result = await scale(hands, { desired: left, target, victims: [victim] });

      expect(result).toBe("applied");
      const after = (await cluster.settled("less", left)).map(nameOf).sort();
      expect(after).toEqual(names.filter((each) => each !== victim).toSorted());
    }
  });
}

function defineConflicts(getCluster: GetCluster): void {
  test("change nothing against somebody who changed the number meanwhile", async () => {
    const cluster = getCluster();
    await cluster.deploy("race", 3);
    const hands = await openHands(cluster, "race");
    const { members } = await look(hands);
    const victims = members.slice(0, 1).map(({ worker }) => worker);
    await cluster.scale("race", 4);

    expect(await scale(hands, { desired: 2, target: 3, victims })).toBe("conflict");

    const pods = await cluster.settled("race", 4);
    expect(marksOf(pods)).toEqual([]);
  });

  test("take nobody in place of a victim that is gone already", async () => {
    const cluster = getCluster();
    await cluster.deploy("gone", 3);
    const hands = await openHands(cluster, "gone");
    const { members } = await look(hands);
    const [first, second] = members.map(({ worker }) => worker) as [WorkerId, WorkerId];
    await cluster.deletePod(first);

    const result = await scale(hands, { desired: 1, target: 3, victims: [first, second] });

    expect(result).toBe("conflict");
    const pods = await cluster.settled("gone", 3);
    expect(pods.map(nameOf)).toContain(second);
    expect(marksOf(pods)).toEqual([]);
  });
}

function defineOtherScalers(getCluster: GetCluster): void {
  test("do not begin where an HPA scales the Deployment too", async () => {
    const cluster = getCluster();
    await cluster.deploy("owned", 1);
    const remove = await cluster.addAutoscaler("owned");
    onTestFinished(remove);

    const opening = openHands(cluster, "owned");

    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(
      /HorizontalPodAutoscaler .*\/owned scales Deployment owned too/,
    );
  });

  test("leave a pool alone while an HPA scales it too, and go on after", async () => {
    const cluster = getCluster();
    await cluster.deploy("later", 1);
    const hands = await openHands(cluster, "later");
    const remove = await cluster.addAutoscaler("later");

    const meanwhile = await hands.observe(never);
    const refused = await scale(hands, { desired: 2, target: 1 });
    const problem = hands.problem();
    await remove();

    expect([meanwhile, refused]).toEqual([[], "failed"]);
    expect(problem).toMatch("HorizontalPodAutoscaler");
    expect((await look(hands)).target).toBe(1);
    expect(hands.problem()).toBeUndefined();
  });

  test("leave a pool alone that has no Deployment", async () => {
    const hands = await openHands(getCluster(), "missing");

    expect(await hands.observe(never)).toEqual([]);
    expect(hands.problem()).toBe("pool default: there is no Deployment missing");
  });
}

function nameOf({ name }: SeenPod): string {
  return name;
}

function nameOfMember({ worker }: { readonly worker: WorkerId }): string {
  return worker;
}

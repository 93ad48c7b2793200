/** What the hands on Kubernetes promise; a real control plane and the fake one both keep it. */
import { defaultPool, type WorkerId } from "@zfarm/contract";
import { ConfigError, Registry, silentLog, systemClock } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { PoolFleet, PoolScaling, ScalingResult } from "../src/autoscale/actuator.ts";
import { costKey, markKey } from "../src/autoscale/kubernetes/deletion-mark.ts";
import type { KubernetesActuator } from "../src/autoscale/kubernetes/kubernetes-actuator.ts";
import type { KubernetesConfig } from "../src/autoscale/kubernetes/kubernetes-config.ts";
import { openKubernetes } from "../src/autoscale/kubernetes/open-kubernetes.ts";
import { defineActuatorContract, type PoolUnderTest } from "./actuator-contract.ts";

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

    defineActuatorContract(name, (deployment, pods) => deployPool(cluster, { deployment, pods }));
    defineMarks(() => cluster);
    defineOtherScalers(() => cluster);
  });
}

/** A Deployment is the pool. */
async function deployPool(
  cluster: ClusterUnderTest,
  { deployment, pods }: { readonly deployment: string; readonly pods: number },
): Promise<PoolUnderTest> {
  await cluster.deploy(deployment, pods);
  return {
    open: () => open(cluster, deployment),
    settled: async (count) => (await cluster.settled(deployment, count)).map(nameOf),
    raise: () => cluster.scale(deployment, pods + 1),
    replace: (worker) => cluster.deletePod(worker),
  };
}

function open({ config }: ClusterUnderTest, deployment: string): Promise<KubernetesActuator> {
  return openKubernetes({
    config,
    targets: new Map([[defaultPool, deployment]]),
    clock: systemClock,
    log: silentLog,
    registry: new Registry(),
    stop: never,
  });
}

async function openHands(cluster: ClusterUnderTest, deployment: string) {
  const actuator = await open(cluster, deployment);
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

function defineMarks(getCluster: GetCluster): void {
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

  test("leave no mark where the number was changed by somebody else", async () => {
    const cluster = getCluster();
    await cluster.deploy("unmarked", 3);
    const hands = await openHands(cluster, "unmarked");
    const { members } = await look(hands);
    const victims = members.slice(0, 1).map(({ worker }) => worker);
    await cluster.scale("unmarked", 4);

    expect(await scale(hands, { desired: 2, target: 3, victims })).toBe("conflict");

    expect(marksOf(await cluster.settled("unmarked", 4))).toEqual([]);
  });

  test("leave no mark where a victim is gone already", async () => {
    const cluster = getCluster();
    await cluster.deploy("halved", 3);
    const hands = await openHands(cluster, "halved");
    const { members } = await look(hands);
    const [first, second] = members.map(({ worker }) => worker) as [WorkerId, WorkerId];
    await cluster.deletePod(first);

    await scale(hands, { desired: 1, target: 3, victims: [first, second] });

    expect(marksOf(await cluster.settled("halved", 3))).toEqual([]);
  });

  test("say what they did and why in an event", async () => {
    const cluster = getCluster();
    await cluster.deploy("told", 0);
    const hands = await openHands(cluster, "told");
    await look(hands);

    await scale(hands, { desired: 3, target: 0 });

    const events = await cluster.events("told");
    expect(events).toContain("Workers of pool default: 0 to 3 (backlog)");
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

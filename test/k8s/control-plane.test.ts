/** What the farm builds on in Kubernetes, asked of the real thing: no farm runs here yet. */
import { hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { type Cluster, isReady, namesOf, openCluster } from "./cluster.ts";
import { restrictedPod, workerDeployment } from "./worker-deployment.ts";

interface Budget {
  readonly status: { readonly disruptionsAllowed: number };
}

const costKey = "controller.kubernetes.io/pod-deletion-cost";

describe.runIf(await hasControlPlaneForTests())("a control plane", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster();
    await cluster.addNodes("node", 5);
  });

  afterAll(async () => cluster?.stop());

  const mark = (namespace: string, pod: string, cost: number) =>
    cluster.client.merge(`/api/v1/namespaces/${namespace}/pods/${pod}`, {
      metadata: { annotations: { [costKey]: String(cost) } },
    });

  test("takes the pods with the lowest deletion cost when it scales in", async () => {
    await cluster.namespace("cost");
    await cluster.client.apply(workerDeployment({ namespace: "cost", name: "w", replicas: 8 }));
    const pods = namesOf(await cluster.settled("cost", 8));
    const victims = [pods[1], pods[4], pods[6]] as string[];
    for (const victim of victims) await mark("cost", victim, -1000);

    await cluster.scale("cost", "w", 5);

    const left = namesOf(await cluster.settled("cost", 5));
    expect(left).toEqual(pods.filter((pod) => !victims.includes(pod)));
  });

  test("takes pods that still start before ready ones, whatever their cost", async () => {
    await cluster.namespace("starting");
    const slow = { namespace: "starting", name: "w", replicas: 2 };
    await cluster.client.apply(workerDeployment(slow));
    const ready = namesOf(await cluster.settled("starting", 2));
    for (const pod of ready) await mark("starting", pod, -1000);
    await cordonAll(true);
    await cluster.scale("starting", "w", 4);
    await waitUntil("two pods wait for a node", 10_000, async () => {
      const pods = await cluster.pods("starting");
      return pods.length === 4 && pods.filter((pod) => !isReady(pod)).length === 2;
    });

    await cluster.scale("starting", "w", 2);

    expect(namesOf(await cluster.settled("starting", 2))).toEqual(ready);
    await cordonAll(false);
  });

  const cordonAll = (unschedulable: boolean) =>
    Promise.all(
      [0, 1, 2, 3, 4].map((index) =>
        cluster.client.merge(`/api/v1/nodes/node-${index}`, { spec: { unschedulable } }),
      ),
    );

  test("leaves a pod on its GPU until its time of grace is over", async () => {
    await cluster.namespace("grace");
    const options = { namespace: "grace", name: "w", replicas: 1, graceSeconds: 3 };
    await cluster.client.apply(workerDeployment(options));
    const [pod] = namesOf(await cluster.settled("grace", 1));

    await cluster.scale("grace", "w", 0);

    const dying = await waitUntil("the pod is told to stop", 10_000, async () =>
      (await cluster.pods("grace")).find(({ metadata }) => metadata.deletionTimestamp),
    );
    expect(dying.metadata.name).toBe(pod);
    expect(isReady(dying)).toBe(true);
    await cluster.settled("grace", 0);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(dying.metadata.deletionTimestamp ?? ""));
  });

  test("refuses evictions beyond what a disruption budget allows", async () => {
    await cluster.namespace("budget");
    await cluster.client.apply(workerDeployment({ namespace: "budget", name: "w", replicas: 3 }));
    const pods = namesOf(await cluster.settled("budget", 3));
    await cluster.client.apply({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "w", namespace: "budget" },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: "w" } } },
    });
    await waitUntil("the budget is counted", 10_000, async () => {
      const path = "/apis/policy/v1/namespaces/budget/poddisruptionbudgets/w";
      const { status } = await cluster.client.get<Budget>(path);
      return status.disruptionsAllowed === 1;
    });
    const evict = async (name: string) =>
      cluster.client.ask({
        method: "POST",
        path: `/api/v1/namespaces/budget/pods/${name}/eviction`,
        body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } },
      });

    // Nothing may take the place of the first before the second is asked for.
    await cordonAll(true);

    const [first, second] = [await evict(pods[0] ?? ""), await evict(pods[1] ?? "")];

    await cordonAll(false);
    expect([first.status, second.status]).toEqual([201, 429]);
    expect(second.message).toMatch("disruption budget");
  });

  test("admits under Pod Security restricted only what asks for nothing", async () => {
    const enforce = { "pod-security.kubernetes.io/enforce": "restricted" };
    await cluster.namespace("strict", enforce);
    const create = (name: string, spec: object) =>
      cluster.client.ask({
        method: "POST",
        path: "/api/v1/namespaces/strict/pods",
        body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec },
      });

    const plain = await create("plain", { containers: [{ name: "worker", image: "worker" }] });
    const fitting = await create("fitting", restrictedPod(1));

    expect(plain.status).toBe(403);
    expect(plain.message).toMatch(/violates PodSecurity "restricted:latest".*runAsNonRoot/);
    expect(fitting.status).toBe(201);
  });

  test("starts pods again elsewhere when their node falls silent", async () => {
    await cluster.namespace("silent");
    await cluster.client.apply(workerDeployment({ namespace: "silent", name: "w", replicas: 2 }));
    const [pod] = await cluster.settled("silent", 2);
    const node = pod?.spec.nodeName ?? "";

    await cluster.silence(node);

    await waitUntil("two ready pods on other nodes", 60_000, async () => {
      const pods = (await cluster.pods("silent")).filter(isReady);
      return pods.filter(({ spec }) => spec.nodeName !== node).length === 2;
    });
  });
});

/** A thousand workers: what the largest farm asks of the control plane, and of this machine. */
import { setTimeout as sleep } from "node:timers/promises";
import { forEachBounded } from "@zfarm/runtime";
import { hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { type Cluster, isReady, namesOf, openCluster, type Pod } from "./cluster.ts";
import { workerDeployment } from "./worker-deployment.ts";

const workers = 1_000;
const victims = 400;
const readyWithinMs = 100_000;
const lookEveryMs = 250;

interface Counts {
  readonly replicas?: number;
  readonly readyReplicas?: number;
}

describe.runIf(await hasControlPlaneForTests())("a thousand workers", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster();
    await cluster.addNodes("node", workers / 8);
  });

  afterAll(async () => cluster?.stop());

  /** Asks for the list only once: it is three megabytes, and whoever makes it makes the pods. */
  const whole = async (count: number): Promise<Pod[]> => {
    await waitUntil(`${count} workers are ready`, readyWithinMs, async () => {
      await sleep(lookEveryMs);
      const path = "/apis/apps/v1/namespaces/default/deployments/w";
      const { status } = await cluster.client.get<{ status: Counts }>(path);
      return status.readyReplicas === count && status.replicas === count;
    });
    return cluster.settled("default", count);
  };

  test("become ready, and only the marked ones go", { timeout: 240_000 }, async () => {
    const say = stopwatch();
    await cluster.client.apply(
      workerDeployment({ namespace: "default", name: "w", replicas: workers }),
    );
    const pods = await whole(workers);
    say("all ready");
    const bytes = Object.values(await cluster.plane.residentBytes());
    say(`${Math.round(bytes.reduce((sum, one) => sum + one, 0) / 2 ** 20)} MiB resident`);
    // Every other one: neither the oldest nor the newest, nor those of whole nodes.
    const marked = pods.filter((_, index) => index % 2 === 0).slice(0, victims);
    await forEachBounded(marked, 16, async ({ metadata }) => {
      const annotations = { "controller.kubernetes.io/pod-deletion-cost": "-1000" };
      const path = `/api/v1/namespaces/default/pods/${metadata.name}`;
      await cluster.client.merge(path, { metadata: { annotations } });
    });
    say(`${victims} marked`);

    await cluster.scale("default", "w", workers - victims);

    const left = await whole(workers - victims);
    say(`${victims} gone`);
    const gone = new Set(namesOf(marked));
    expect(namesOf(left)).toEqual(namesOf(pods).filter((name) => !gone.has(name)));
    expect(left.every(isReady)).toBe(true);
  });
});

/** Says how long each step took, for docs/measurements/kubernetes.md. */
function stopwatch(): (what: string) => void {
  let before = performance.now();
  return (what) => {
    const seconds = (performance.now() - before) / 1_000;
    process.stderr.write(`${workers} workers: ${what} after ${seconds.toFixed(1)} s\n`);
    before = performance.now();
  };
}

/** Nodes are reclaimed and lost while clients wait for pictures. */
import type { FarmClient } from "@zfarm/client";
import { findServerForTests, hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startChaosFarm } from "../chaos/farm/chaos-farm.ts";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { isReady, openCluster, type Pod } from "./cluster.ts";
import { FarmOnCluster } from "./farm-on-cluster.ts";
import { workerDeployment } from "./worker-deployment.ts";

const namespace = "farm";
const name = "worker";
const workers = 3;
const canRun = (await hasControlPlaneForTests()) && (await findServerForTests()) !== undefined;

describe.runIf(canRun)("pods of workers under load", () => {
  let on: FarmOnCluster;
  let client: FarmClient;
  const options = { namespace, name, replicas: workers, graceSeconds: 60, isPlayed: true };

  beforeAll(async () => {
    const cluster = await openCluster();
    await cluster.namespace(namespace);
    await cluster.addNodes("node", 3, 4);
    const farm = await startChaosFarm({ workers: 0 });
    const create = async ({ metadata }: Pod) => farm.createWorker(metadata.name);
    on = new FarmOnCluster({ cluster, namespace, farm, create });
    client = farm.client();
    await on.cluster.client.apply(workerDeployment(options));
    await on.cluster.settled(namespace, workers, name);
  });

  afterAll(async () => {
    client?.close();
    await on?.stop();
  });

  const busy = () =>
    waitUntil("a worker draws", 30_000, () =>
      on.processes.pods.some((pod) => on.processes.inHand(pod) > 0),
    );

  test("of a node that is reclaimed go on elsewhere with what they had begun", async () => {
    const load = on.startLoad(client);
    await busy();
    const [first] = await on.cluster.pods(namespace, name);
    const node = first?.spec.nodeName ?? "";

    await on.cluster.reclaim(node, namespace);
    await on.cluster.settled(namespace, workers, name);
    await load.end();

    expect(await on.violations()).toEqual([]);
    const left = await on.cluster.pods(namespace, name);
    expect(left.filter(({ spec }) => spec.nodeName === node)).toEqual([]);
  });

  test("of a node that is lost are drawn again elsewhere", async () => {
    const load = on.startLoad(client);
    await busy();
    const [first] = await on.cluster.pods(namespace, name);
    const node = first?.spec.nodeName ?? "";

    const lost = await on.processes.killNode(node);
    await on.cluster.silence(node);
    await waitUntil("as many ready pods on other nodes", 60_000, async () => {
      const pods = (await on.cluster.pods(namespace, name)).filter(isReady);
      return pods.filter(({ spec }) => spec.nodeName !== node).length === workers;
    });
    await load.end();

    expect(lost.length).toBeGreaterThan(0);
    expect(await on.violations()).toEqual([]);
  });
});

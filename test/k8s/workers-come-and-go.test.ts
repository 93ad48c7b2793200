/** Pods of workers are replaced, reclaimed and lost while clients wait for pictures. */
import { findServerForTests, hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { isReady, namesOf } from "./cluster.ts";
import { type FarmOnCluster, openFarmOnCluster } from "./farm-on-cluster.ts";
import { workerDeployment } from "./worker-deployment.ts";

const namespace = "farm";
const app = "worker";
const workers = 3;
const canRun = (await hasControlPlaneForTests()) && (await findServerForTests()) !== undefined;

describe.runIf(canRun)("pods of workers under load", () => {
  let on: FarmOnCluster;
  const options = { namespace, name: app, replicas: workers, graceSeconds: 60 };

  beforeAll(async () => {
    on = await openFarmOnCluster({ namespace, app });
    await on.cluster.addNodes("node", 3, 4);
    await on.cluster.client.apply(workerDeployment(options));
    await on.cluster.settled(namespace, workers, app);
  });

  afterAll(async () => on?.stop());

  const busy = () =>
    waitUntil("a worker draws", 30_000, () =>
      on.processes.pods.some((pod) => on.processes.inHand(pod) > 0),
    );

  test("are all replaced by an upgrade, and no picture is lost or begun twice", async () => {
    const before = namesOf(await on.cluster.pods(namespace, app));
    const loading = on.load(400);
    await busy();

    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${app}`;
    const annotations = { release: "2" };
    await on.cluster.client.merge(path, { spec: { template: { metadata: { annotations } } } });
    await waitUntil("every pod is new", 60_000, async () => {
      const pods = await on.cluster.pods(namespace, app);
      const isNew = pods.every(({ metadata }) => !before.includes(metadata.name));
      return isNew && pods.length === workers && pods.every(isReady);
    });
    await loading;

    expect(await on.violations()).toEqual([]);
    const goodbyes = on.processes.goodbyes.filter(({ pod }) => before.includes(pod));
    expect(goodbyes.map(({ how }) => how)).toEqual(before.map(() => "exit code 0"));
    expect(goodbyes.some(({ inHand }) => inHand > 0)).toBe(true);
    expect(await on.repeated()).toBe(0);
  });

  test("of a node that is reclaimed go on elsewhere with what they had begun", async () => {
    const loading = on.load(200);
    await busy();
    const [first] = await on.cluster.pods(namespace, app);
    const node = first?.spec.nodeName ?? "";

    await on.cluster.reclaim(node, namespace);
    await on.cluster.settled(namespace, workers, app);
    await loading;

    expect(await on.violations()).toEqual([]);
    const left = await on.cluster.pods(namespace, app);
    expect(left.filter(({ spec }) => spec.nodeName === node)).toEqual([]);
  });

  test("of a node that is lost are drawn again elsewhere", async () => {
    const loading = on.load(200);
    await busy();
    const [first] = await on.cluster.pods(namespace, app);
    const node = first?.spec.nodeName ?? "";

    const lost = await on.processes.killNode(node);
    await on.cluster.silence(node);
    await waitUntil("as many ready pods on other nodes", 60_000, async () => {
      const pods = (await on.cluster.pods(namespace, app)).filter(isReady);
      return pods.filter(({ spec }) => spec.nodeName !== node).length === workers;
    });
    await loading;

    expect(lost.length).toBeGreaterThan(0);
    expect(await on.violations()).toEqual([]);
  });
});

/**
 * What one command installs on an empty cluster draws pictures: broker and object store come with
 * the chart. Pods of the services are processes, told what the chart tells them, but for where the
 * two servers are: names of a cluster lead nowhere here.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findServerForTests, hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startChaosFarm } from "../chaos/farm/chaos-farm.ts";
import { helmAtHand } from "../chart/render-chart.ts";
import { chartFolder, restricted, runHelm } from "../k8s/chart-on-cluster.ts";
import { type Cluster, openCluster, type Pod } from "../k8s/cluster.ts";
import { PodMachine } from "../k8s/pod-machine.ts";
import { everyPod, instead, namespace, Release } from "../k8s/release.ts";
import { hasStoreForTests, startStoreOfChart } from "./store-of-chart.ts";

const canRun =
  (await hasStoreForTests()) &&
  helmAtHand !== undefined &&
  (await hasControlPlaneForTests()) &&
  (await findServerForTests()) !== undefined;

describe.runIf(canRun)("a farm with nothing beside the chart", () => {
  let release: Release;

  beforeAll(async () => {
    const cluster = await openCluster();
    await cluster.namespace(namespace, restricted);
    await cluster.addNodes("node", 2, 4);
    release = await installed(cluster);
  });

  afterAll(async () => release?.stop());

  test("renders pictures with the keys that the install made", async () => {
    const client = await release.connect();
    const { tasks } = await release.startLoad(client, 1).end();
    client.close();

    expect(tasks).toBeGreaterThan(0);
    expect(await release.violations()).toEqual([]);
  });
});

async function installed(cluster: Cluster): Promise<Release> {
  const values = join(cluster.plane.folder, "values.json");
  const pools = { default: { replicas: 1 } };
  await writeFile(values, JSON.stringify({ ...everyPod, autoscaler: { kind: "none" }, pools }));
  const bundled = ["nats", "objectStorage"].flatMap((part) => [
    "--set",
    `${part}.bundled.enabled=true`,
  ]);
  const args = ["install", "farm", chartFolder, "--namespace", namespace, "--values", values];
  await runHelm(cluster, [...args, ...bundled]);
  const s3 = await startStoreOfChart({ secretKey: await madeKey(cluster) });
  const farm = await startChaosFarm({ workers: 0, gateways: 0, schedulers: 0, s3 });
  const env = { NATS_URL: farm.natsUrl, S3_ENDPOINT: s3.endpoint };
  const machine = new PodMachine({ cluster, namespace, farm, instead, env });
  const create = async (pod: Pod) => (isServer(pod) ? undefined : machine.create(pod));
  return new Release({ cluster, namespace, farm, create }, { machine, store: s3 });
}

/** The two that run here already. */
function isServer({ metadata }: Pod): boolean {
  return /-(nats|store)-0$/.test(metadata.name);
}

async function madeKey(cluster: Cluster): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/secrets/farm-zfarm-store`;
  const { data } = await cluster.client.get<{ data: Record<string, string> }>(path);
  return Buffer.from(data["secret-key"] ?? "", "base64").toString();
}

/** The autoscaler's hands on a real control plane, with the rights that they say they need. */
import { hasControlPlaneForTests } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import * as rights from "../../services/scheduler/src/autoscale/kubernetes/kubernetes-rights.ts";
import {
  type ClusterUnderTest,
  defineKubernetesContract,
} from "../../services/scheduler/testing/kubernetes-contract.ts";
import { openCluster } from "./cluster.ts";
import { grantRights, usedRights } from "./rights.ts";
import { workerDeployment } from "./worker-deployment.ts";

const { kubernetesRights } = rights;
const namespace = "hands";
const account = { namespace, name: "autoscaler" };

/** What the hands asked for in all their tests. */
let used: readonly string[] = [];

async function openRealCluster(): Promise<ClusterUnderTest> {
  const cluster = await openCluster();
  const { client } = cluster;
  await cluster.addNodes("node", 4);
  await cluster.namespace(namespace);
  await grantRights(cluster, account, kubernetesRights);
  return {
    config: { namespace, kubeconfig: await cluster.plane.kubeconfigOf(account) },
    deploy: async (name, replicas) => {
      await client.apply(workerDeployment({ namespace, name, replicas }));
      await cluster.settled(namespace, replicas, name);
    },
    scale: (name, replicas) => cluster.scale(namespace, name, replicas),
    settled: async (name, count) =>
      (await cluster.settled(namespace, count, name)).map(({ metadata }) => ({
        name: metadata.name,
        annotations: metadata.annotations ?? {},
      })),
    annotate: (pod, annotations) =>
      client.merge(`/api/v1/namespaces/${namespace}/pods/${pod}`, { metadata: { annotations } }),
    deletePod: (pod) => client.remove(`/api/v1/namespaces/${namespace}/pods/${pod}`, 0),
    addAutoscaler: async (name) => {
      const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name };
      await client.apply({
        apiVersion: "autoscaling/v2",
        kind: "HorizontalPodAutoscaler",
        metadata: { name, namespace },
        // Bounds that leave the Deployment as it is.
        spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 1 },
      });
      const root = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`;
      return () => client.remove(`${root}/${name}`);
    },
    events: async (name) => {
      interface Event {
        readonly involvedObject: { readonly name: string };
        readonly message: string;
      }
      const path = `/api/v1/namespaces/${namespace}/events`;
      const { items } = await client.get<{ items: Event[] }>(path);
      return items.filter((one) => one.involvedObject.name === name).map((one) => one.message);
    },
    close: async () => {
      const user = `system:serviceaccount:${namespace}:${account.name}`;
      used = usedRights(await cluster.plane.audit(), user);
      await cluster.stop();
    },
  };
}

describe.runIf(await hasControlPlaneForTests())("on a control plane", () => {
  defineKubernetesContract("a real control plane", openRealCluster);

  test("the hands use every right of their list", () => {
    const listed = kubernetesRights.flatMap(({ group, resource, verbs }) =>
      verbs.map((verb) => `${verb} ${group === "" ? resource : `${resource}.${group}`}`),
    );

    expect(used).toEqual(listed.sort());
  });
});

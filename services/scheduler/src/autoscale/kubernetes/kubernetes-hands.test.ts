/** The hands on a fake control plane, over HTTP and through the client library. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { FakeKubernetes } from "../../../testing/fake-kubernetes.ts";
import {
  type ClusterUnderTest,
  defineKubernetesContract,
} from "../../../testing/kubernetes-contract.ts";
import type { KubernetesRequest } from "./kubernetes-transport.ts";

/** The client library asks it as it asks a real one, but for TLS. */
async function openFakeCluster(): Promise<ClusterUnderTest> {
  const fake = new FakeKubernetes();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "", "http://fake");
    const method = request.method as KubernetesRequest["method"];
    const body = method === "GET" ? undefined : ((await json(request)) as object);
    const query = Object.fromEntries(url.searchParams);
    const asked = { method, path: url.pathname, query, ...(body === undefined ? {} : { body }) };
    const wrongType =
      method === "PATCH" && request.headers["content-type"] !== "application/merge-patch+json";
    const said = wrongType ? { status: 415, body: {} } : await fake.send(asked);
    response.writeHead(said.status, { "content-type": "application/json" });
    response.end(JSON.stringify(said.body));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const folder = await mkdtemp(join(tmpdir(), "zfarm-fake-kube-"));
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(`http://127.0.0.1:${port}`)));
  return {
    ...controlsOf(fake),
    config: { namespace: "farm", kubeconfig },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}

function kubeconfigOf(server: string): object {
  return {
    clusters: [{ name: "fake", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "fake", user: { token: "secret" } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    "current-context": "fake",
  };
}

function controlsOf(fake: FakeKubernetes): Omit<ClusterUnderTest, "config" | "close"> {
  return {
    deploy: async (name, replicas) => fake.deploy(name, replicas),
    scale: async (name, replicas) => fake.scale(name, replicas),
    settled: async (name) =>
      fake.pods(name).map(({ metadata }) => ({
        name: metadata.name,
        annotations: { ...metadata.annotations },
      })),
    annotate: async (pod, annotations) => {
      const path = `/api/v1/namespaces/farm/pods/${pod}`;
      await fake.send({ method: "PATCH", path, body: { metadata: { annotations } } });
    },
    deletePod: async (pod) => fake.deletePod(pod),
    addAutoscaler: async (deployment) => {
      const found = fake.scalers.horizontalpodautoscalers;
      const spec = { scaleTargetRef: { kind: "Deployment", name: deployment } };
      found.set(deployment, { metadata: { name: deployment }, spec });
      return async () => void found.delete(deployment);
    },
    events: async (deployment) =>
      fake.events
        .filter(({ involvedObject }) => (involvedObject as { name: string }).name === deployment)
        .map(({ message }) => String(message)),
  };
}

defineKubernetesContract("a fake control plane", openFakeCluster);

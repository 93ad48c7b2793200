/** How tests see what a service account may do and what it did: a measure for the chart's roles. */
import { hasControlPlaneForTests, type KubeClient } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientOf } from "./client-of.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { grantRights, rightsOf, usedRights } from "./rights.ts";

const account = { namespace: "rights", name: "reader" };
const user = "system:serviceaccount:rights:reader";

describe.runIf(await hasControlPlaneForTests())("a service account", () => {
  let cluster: Cluster;
  let reader: KubeClient;

  beforeAll(async () => {
    cluster = await openCluster();
    await cluster.namespace("rights");
    await grantRights(cluster, account, [
      { group: "", resource: "pods", verbs: ["get", "list"] },
      { group: "apps", resource: "deployments/scale", verbs: ["patch"] },
    ]);
    reader = await clientOf(await cluster.plane.kubeconfigOf(account));
  });

  afterAll(async () => {
    reader?.close();
    await cluster?.stop();
  });

  test("is let in with its own token, and gets what its role says and nothing else", async () => {
    const pods = await reader.ask({ path: "/api/v1/namespaces/rights/pods" });
    const secrets = await reader.ask({ path: "/api/v1/namespaces/rights/secrets" });

    expect([pods.status, secrets.status]).toEqual([200, 403]);
    expect(secrets.message).toMatch(`User "${user}" cannot list resource "secrets"`);
  });

  test("has its rights and what it asked for told in the same words", async () => {
    const path = "/apis/apps/v1/namespaces/rights/deployments/none/scale";
    await reader.ask({ method: "PATCH", path, body: {} });

    const rights = await rightsOf(cluster.client, account);
    const audited = await cluster.plane.audit();

    expect(rights).toEqual(["get pods", "list pods", "patch deployments/scale.apps"]);
    expect(usedRights(audited, user)).toEqual([
      "list pods",
      "list secrets",
      "patch deployments/scale.apps",
    ]);
    expect(audited.find(({ resource }) => resource === "secrets")?.status).toBe(403);
  });
});

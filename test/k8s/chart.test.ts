/** The chart on a real API server: every set of values that it ships goes in, pods and all. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { findToolForTests, hasControlPlaneForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { helm, helm3 } from "../../tools/servers/helm.mjs";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { type Definitions, manifestSchemas } from "../chart/manifest-schemas.ts";
import { allAdmitted, chartFolder, renderWith, restricted, runHelm } from "./chart-on-cluster.ts";
import { type Cluster, openCluster, type Pod } from "./cluster.ts";

const valuesFiles = readdirSync(join(chartFolder, "ci")).sort();
const [helmNow, helmBefore] = [await helm.find(), await helm3.find()];
const minimal = join(chartFolder, "ci/minimal-values.yaml");
const canRun =
  (await hasControlPlaneForTests()) && (await findToolForTests(helm, "helm.mjs")) !== undefined;

describe.runIf(canRun)("the chart", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster();
    await cluster.addNodes("node", 3);
    await cluster.client.apply({
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name: "nvidia" },
      handler: "nvidia",
    });
    await cluster.define("monitoring.coreos.com", "v1", ["PodMonitor", "PrometheusRule"]);
    await cluster.define("keda.sh", "v1alpha1", ["ScaledObject", "TriggerAuthentication"]);
  });

  afterAll(async () => cluster?.stop());

  test.each(valuesFiles)("installs under Pod Security restricted with %s", async (file) => {
    const namespace = file.replace(/-values\.yaml$/, "");
    await cluster.namespace(namespace, restricted);

    const values = join(chartFolder, "ci", file);
    const args = ["farm", chartFolder, "--namespace", namespace, "--values", values];
    const said = await runHelm(cluster, ["install", ...args]);

    expect(said).toMatch("STATUS: deployed");
    // The API server's own words about what it lets in but does not like.
    expect(said).not.toMatch(/warning/i);
    await allAdmitted(cluster, namespace);
    expect(await runHelm(cluster, ["test", "farm", "--namespace", namespace])).toMatch("Succeeded");

    await runHelm(cluster, ["uninstall", "farm", "--namespace", namespace]);
    await waitUntil("every pod is told to stop", 20_000, async () => {
      const pods = await cluster.pods(namespace);
      return pods.filter(isOfRelease).every(({ metadata }) => metadata.deletionTimestamp);
    });
  });

  test.runIf(helmBefore).each(valuesFiles)("renders the same with Helm 3: %s", async (file) => {
    const before = await renderWith(helmBefore?.path ?? "", file);

    expect(before.length).toBeGreaterThan(10);
    const now = await renderWith(helmNow?.path ?? "", file);
    expect(before.map(withoutSecrets)).toEqual(now.map(withoutSecrets));
  });

  test("is checked without a cluster against what the server says of itself", async () => {
    const { definitions } = await cluster.client.get<{ definitions: Definitions }>("/openapi/v2");

    for (const [file, schema] of manifestSchemas(definitions)) {
      await expect(schema).toMatchFileSnapshot(`../chart/gen/${file}`);
    }
  });

  test("is checked field by field by the server", async () => {
    await cluster.namespace("strict", restricted);
    const unknown = '[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"datum":{}}]';
    const install = ["install", "farm", chartFolder, "--namespace", "strict", "--values", minimal];

    const refused = runHelm(cluster, [...install, "--set-json", `extraObjects=${unknown}`]);

    await expect(refused).rejects.toThrow("datum: field not declared in schema");
  });

  test("leaves the number of workers to whoever scales them when it is upgraded", async () => {
    const namespace = "upgrade";
    await cluster.namespace(namespace, restricted);
    const args = ["farm", chartFolder, "--namespace", namespace, "--values", minimal];
    await runHelm(cluster, ["install", ...args]);
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/farm-zfarm-worker-default`;
    await cluster.client.ask({
      method: "PATCH",
      path: `${path}/scale?fieldManager=zfarm-autoscaler`,
      body: { spec: { replicas: 3 } },
    });

    await runHelm(cluster, ["upgrade", ...args, "--set", "logLevel=debug"]);

    const { spec } = await cluster.client.get<Deployment>(path);
    expect(spec.replicas).toBe(3);
    const [{ env }] = spec.template.spec.containers;
    expect(env.find(({ name }) => name === "LOG_LEVEL")?.value).toBe("debug");
  });

  test("makes keys for its own object store once, and an upgrade leaves them", async () => {
    const namespace = "keys";
    await cluster.namespace(namespace, restricted);
    const values = join(chartFolder, "ci/bundled-values.yaml");
    const args = ["farm", chartFolder, "--namespace", namespace, "--values", values];
    const path = `/api/v1/namespaces/${namespace}/secrets/farm-zfarm-store`;
    await runHelm(cluster, ["install", ...args]);
    const { data } = await cluster.client.get<Secret>(path);

    await runHelm(cluster, ["upgrade", ...args, "--set", "logLevel=debug"]);
    expect((await cluster.client.get<Secret>(path)).data).toEqual(data);
    await runHelm(cluster, ["rollback", "farm", "1", "--namespace", namespace]);

    expect((await cluster.client.get<Secret>(path)).data).toEqual(data);
    expect(atob(data["secret-key"] ?? "")).toMatch(/^\w{40}$/);
  });
});

/** What each rendering makes anew is no difference. */
function withoutSecrets(object: unknown): unknown {
  const { kind, data } = object as { kind?: string; data?: object };
  return kind === "Secret" && data ? { ...(object as object), data: Object.keys(data) } : object;
}

interface Secret {
  readonly data: Readonly<Record<string, string>>;
}

/** Helm leaves to its users what it made for a test. */
const isOfRelease = ({ metadata }: Pod): boolean =>
  metadata.annotations?.["helm.sh/hook"] === undefined;

interface Deployment {
  readonly spec: {
    readonly replicas: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          { readonly env: readonly { readonly name: string; readonly value?: string }[] },
        ];
      };
    };
  };
}

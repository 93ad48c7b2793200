/** The chart, the code and the documents say the same of settings, ports, bounds and times. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createUserSeed } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { stopWithinMsDefault } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAutoscalerFile } from "../services/scheduler/src/autoscale/autoscaler-file.ts";
import {
  kedaRights,
  kubernetesRights,
} from "../services/scheduler/src/autoscale/kubernetes/kubernetes-rights.ts";
import {
  type Container,
  helmAtHand,
  podsOf,
  type Rendered,
  renderChart,
  variants,
} from "./chart/render-chart.ts";
import { isTest, listFiles, readText, repositoryRoot } from "./repository.ts";

/** Variables that the chart leaves to the operator's `env`, each for a reason. */
const left: Readonly<Record<string, string>> = {
  AUTOSCALER_KEDA_HOST: "a pod listens on all of its addresses",
  BLOBS_DIR: "a folder is no store for several machines",
  GATEWAY_DRAIN_MS: "fits into the time that a pod has to stop",
  GATEWAY_HOST: "a pod listens on all of its addresses",
  KUBECONFIG: "a pod has its account",
  KUBERNETES_SERVICE_HOST: "Kubernetes sets it",
  OPS_HOST: "a pod listens on all of its addresses",
  STOP_WITHIN_MS: "its default and the time that a pod has to stop are one",
  WORKER_DRAIN_GRACE_MS: "its default is its bound",
  WORKER_EXPERIMENTAL: "the chart has no device that is an experiment",
  WORKER_SIDE_THREADS: "the worker knows what its device likes",
  WORKER_THREADS: "the worker sees the processors that it has",
};
/** What stands in the code and is no setting of a service. */
const elsewhere = /^(ZFARM_.*|OTEL_.*|AWS_.*|HOME|PATH|PORT|TERM|CI)$/;

const services = ["gateway", "scheduler", "worker"] as const;

describe.skipIf(helmAtHand === undefined)("the chart and the code", () => {
  const rendered = new Map<string, Rendered[]>();
  let folder: string;
  beforeAll(async () => {
    for (const variant of variants) rendered.set(variant, await renderChart(variant));
    folder = await mkdtemp(join(tmpdir(), "zfarm-parity-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const objects = (): Rendered[] => [...rendered.values()].flat();
  const containers = (from = objects()): Container[] =>
    podsOf(from).flatMap((pod) => pod.containers);

  test("know the same variables", () => {
    const named = containers().flatMap(({ env = [] }) => env.map(({ name }) => name));
    const set = new Set(named.filter((name) => !elsewhere.test(name)));
    const read = readVariables();
    const isRead = (name: string) => read.has(name) || read.has(name.replace(/_FILE$/, ""));
    expect([...set].filter((name) => !isRead(name))).toEqual([]);
    const unset = [...read].filter((name) => !set.has(name) && !set.has(`${name}_FILE`));
    expect(unset.filter((name) => left[name] === undefined)).toEqual([]);
  });

  test.each(variants.flatMap((variant) => services.map((service) => [variant, service] as const)))(
    "agree on what the chart tells a service: %s, %s",
    async (variant, service) => {
      const all = rendered.get(variant) ?? [];
      const container = containers(all).find(({ name }) => name === service);
      const env = await envOf(container, all);
      const [entry = ""] = container?.args ?? [];
      const child = spawn(process.execPath, [join(repositoryRoot, entry)], { env });
      let said = "";
      for (const output of [child.stdout, child.stderr]) {
        output.on("data", (bytes: Buffer) => (said += bytes.toString()));
      }
      const [code] = await once(child, "close");
      // 2 says that the settings were not understood; it got as far as a server, which is away.
      expect(code, said).toBe(1);
      expect(said).toMatch(/BROKER_UNAVAILABLE|STORE_UNAVAILABLE/);
    },
  );

  test("agree on what the autoscaler minds", () => {
    for (const file of autoscalerFiles(objects())) {
      const problems: string[] = [];
      const { pools } = parseAutoscalerFile(file, (problem) => problems.push(problem));
      expect(problems).toEqual([]);
      const targets = [...pools.values()].map(({ target }) => target);
      const deployments = objects().filter(({ kind }) => kind === "Deployment");
      expect(deployments.map(({ metadata }) => metadata.name)).toEqual(
        expect.arrayContaining(targets),
      );
    }
  });

  test("agree on what the scheduler may do in the cluster", () => {
    const rightsIn = (variant: string) =>
      (rendered.get(variant) ?? []).flatMap(({ rules = [] }) =>
        rules.flatMap(({ apiGroups: [group], resources: [resource], verbs }) => ({
          group,
          resource,
          verbs,
        })),
      );
    expect(rightsIn("minimal")).toEqual(kubernetesRights);
    expect(rightsIn("keda")).toEqual(kedaRights);
    expect(rightsIn("fixed")).toEqual([]);
  });

  test("give a process the time it takes to stop, and a worker the time to hand on", () => {
    const pods = podsOf(objects()).filter(({ containers: [first] }) => {
      return services.some((service) => service === first?.name);
    });
    expect(pods.length).toBeGreaterThan(8);
    for (const {
      containers: [first],
      terminationGracePeriodSeconds = 0,
    } of pods) {
      const delayMs = (first?.lifecycle?.preStop?.sleep.seconds ?? 0) * 1_000;
      const graceMs = terminationGracePeriodSeconds * 1_000;
      expect(graceMs).toBe(delayMs + stopWithinMsDefault + 5_000);
    }
    expect(limits.drainGraceMs).toBeLessThan(stopWithinMsDefault);
    expect(limits.drainMs).toBeLessThan(stopWithinMsDefault);
  });

  test("agree on bounds", () => {
    const schema = JSON.parse(readText("deploy/helm/zfarm/values.schema.json"));
    const bounds = JSON.stringify(schema);
    const pool = findProperties(schema, "slots");
    expect(pool).toMatchObject({
      slots: { minimum: 1, maximum: limits.batchTasksMax },
      max: { maximum: limits.workersMax },
      weight: { minimum: 1, maximum: limits.autoscaleWeightMax },
      gpu: { properties: { count: { maximum: limits.autoscaleGpusPerWorkerMax } } },
      idleSecondsToZero: { maximum: limits.autoscaleIdleSecondsMax },
      holdSeconds: { maximum: limits.autoscaleHoldSecondsMax },
    });
    expect(findProperties(schema, "diskBytes")).toMatchObject({
      diskBytes: { minimum: limits.loraPieceBytes, maximum: limits.loraDiskBytesMax },
      ramBytes: { maximum: limits.loraRamBytesMax },
      ranks: { maximum: limits.loraRanksMax },
    });
    expect(schema.properties.shards).toMatchObject({ minimum: 1, maximum: limits.shardsMax });
    expect(schema.properties.pools.maxProperties).toBe(limits.autoscalePoolsMax);
    expect(bounds).not.toContain('"$ref":"http');
    const nats = objects().flatMap(({ data }) => data?.["nats.conf"] ?? []);
    for (const text of nats) expect(text).toContain(`max_payload: ${limits.messageBytesMax}\n`);
  });

  /** As Kubernetes would: what comes from fields, secrets and files is made up. */
  async function envOf(
    container: Container | undefined,
    all: readonly Rendered[],
  ): Promise<NodeJS.ProcessEnv> {
    const files: Record<string, string> = {
      NATS_CREDS_FILE: createUserSeed(),
      AUTOSCALER_FILE: autoscalerFiles(all)[0] ?? "",
      AUTOSCALER_KEDA_TLS_CERT_FILE: "made-up",
      AUTOSCALER_KEDA_TLS_KEY_FILE: "made-up",
      AUTOSCALER_KEDA_TLS_CA_FILE: "made-up",
    };
    const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"] };
    for (const { name, value = "made-up" } of container?.env ?? []) {
      const text = files[name];
      const path = join(folder, name);
      if (text !== undefined) await writeFile(path, text);
      env[name] = text === undefined ? value : path;
    }
    return {
      ...env,
      NATS_URL: "nats://127.0.0.1:1",
      S3_ENDPOINT: "http://127.0.0.1:1",
      OPS_HOST: "127.0.0.1",
      OPS_PORT: "0",
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: "1",
    };
  }
});

/** A dashboard has a file of the same name. */
function autoscalerFiles(objects: readonly Rendered[]): string[] {
  const isScheduler = ({ metadata }: Rendered) =>
    metadata.labels?.["app.kubernetes.io/component"] === "scheduler";
  return objects.filter(isScheduler).flatMap(({ data }) => data?.["autoscaler.json"] ?? []);
}

/** Names that the services' code asks its environment for. */
function readVariables(): Set<string> {
  const asks =
    /\.(?:text|integer|boolean|choice|url|secret|optionalText|has)\(\s*"([A-Z][A-Z0-9_]+)"/g;
  const helped = /(?:variable: |read(?:Endpoint|Pem)\(reader, )"([A-Z][A-Z0-9_]+)"/g;
  const sources = listFiles().filter(
    (path) => /^(packages|services)\/.*\.ts$/.test(path) && !isTest(path),
  );
  const names = sources.flatMap((path) => {
    const text = readText(path);
    return [...text.matchAll(asks), ...text.matchAll(helped)].map(([, name = ""]) => name);
  });
  return new Set(names.filter((name) => !elsewhere.test(name)));
}

/** The properties of the object in a schema that has one of this name. */
function findProperties(schema: unknown, name: string): object | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties" && Object.hasOwn(value, name)) return value;
    const found = findProperties(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

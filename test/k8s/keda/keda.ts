/**
 * KEDA beside a control plane: its operator and its metrics adapter as processes, with the custom
 * resources, the roles and the account that its own module says they need.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "@zfarm/runtime";
import { CertificateAuthority, type ControlPlane, type KubeObject } from "@zfarm/testing";
import { parseAllDocuments } from "yaml";
import { findKeda, type KedaPaths } from "../../../tools/servers/keda.mjs";
import type { Cluster } from "../cluster.ts";
import { kedaAdapter, kedaOperator } from "./keda-programs.ts";

const namespace = "keda";
const account = { namespace, name: "keda-operator" };
const adapterService = "keda-metrics-apiserver";
const metricsApi = "v1beta1.external.metrics.k8s.io";
const loopback = "127.0.0.1";
/** In the control plane's folder. */
const certificates = "keda";
const readyWithinMs = 60_000;

const crd = (group: string) => (resource: string) => `crd/bases/${group}_${resource}.yaml`;
const authentications = ["triggerauthentications", "clustertriggerauthentications"];
/** Of the module's `config`: what an install without webhooks consists of, but for its pods. */
const files = [
  ...["scaledobjects", "scaledjobs", ...authentications].map(crd("keda.sh")),
  ...["cloudeventsources", "clustercloudeventsources"].map(crd("eventing.keda.sh")),
  "service_account/service_account.yaml",
  "rbac/role.yaml",
  "rbac/role_binding.yaml",
  "metrics-server/role.yaml",
  "metrics-server/role_binding.yaml",
];

/**
 * Whether somebody asked for these tests and this machine has KEDA; what is missing is said loudly.
 * They take minutes, and so they are asked for.
 */
export async function hasKedaForTests(): Promise<boolean> {
  const isAsked = process.env["ZFARM_TEST_KEDA"] === "1";
  if (isAsked && (await findKeda()) !== undefined) return true;
  const how = isAsked ? "no KEDA found, and building it needs Go" : "run `npm run test:keda`";
  process.stderr.write(`\n*** SKIPPED: tests with KEDA's operator. ${how} ***\n\n`);
  return false;
}

export interface Keda {
  /** What the operator has written so far. */
  log(): Promise<string>;
}

/** What is in a cluster before anything is scaled: resources, roles and the account. */
export async function installKeda(cluster: Cluster): Promise<void> {
  const { config } = await kedaAtHand();
  await cluster.namespace(namespace);
  for (const file of files) {
    const objects = await readObjects(join(config, file));
    for (const object of objects) await cluster.client.apply(object);
  }
}

/**
 * Starts what was installed.
 * @param network Where the operator finds Services: no names of a cluster are known to it.
 */
export async function startKeda(cluster: Cluster, network = ""): Promise<Keda> {
  const { plane } = cluster;
  const authority = await writeCertificates(plane);
  const place = {
    paths: await kedaAtHand(),
    namespace,
    certificates,
    kubeconfig: await plane.kubeconfigOf(account),
    operatorPort: await findFreePort(),
    adapterPort: await findFreePort(),
  };
  plane.run(kedaOperator(place, network));
  const adapter = plane.run(kedaAdapter(place));
  await registerAdapter(cluster, { port: place.adapterPort, authority });
  await adapter.ready(() => isServed(cluster), readyWithinMs);
  return { log: () => readFile(join(plane.folder, "keda-operator.log"), "utf8") };
}

async function kedaAtHand(): Promise<KedaPaths> {
  const paths = await findKeda();
  if (paths === undefined) throw new Error("who starts KEDA asked whether it is there before");
  return paths;
}

async function readObjects(path: string): Promise<KubeObject[]> {
  const documents = parseAllDocuments(await readFile(path, "utf8"));
  return documents
    .map((document) => document.toJS() as KubeObject | null)
    .filter((one) => one !== null);
}

/** What the two of them, and the API server, know each other by. */
async function writeCertificates({ folder }: ControlPlane): Promise<CertificateAuthority> {
  const authority = new CertificateAuthority("keda");
  const hosts = [`${adapterService}.${namespace}.svc`, loopback];
  const { certificate, key } = authority.issue({ commonName: "keda", hosts });
  await mkdir(join(folder, certificates));
  const written = { "ca.crt": authority.certificate, "tls.crt": certificate, "tls.key": key };
  for (const [name, content] of Object.entries(written)) {
    await writeFile(join(folder, certificates, name), content, { mode: 0o600 });
  }
  return authority;
}

/** The API server passes requests for external metrics on to the adapter. */
async function registerAdapter(
  { client }: Cluster,
  { port, authority }: { port: number; authority: CertificateAuthority },
): Promise<void> {
  await client.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: adapterService, namespace },
    // The only kind of Service that leads to the loopback.
    spec: { type: "ExternalName", externalName: loopback },
  });
  await client.apply({
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: metricsApi },
    spec: {
      group: "external.metrics.k8s.io",
      version: "v1beta1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      caBundle: Buffer.from(authority.certificate).toString("base64"),
      service: { name: adapterService, namespace, port },
    },
  });
}

async function isServed({ client }: Cluster): Promise<boolean> {
  const { status } = await client.ask({ path: "/apis/external.metrics.k8s.io/v1beta1" });
  return status === 200;
}

/** The chart as operators use it: Helm against the API server, and what became of it there. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { helm } from "../../tools/servers/helm.mjs";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { repositoryRoot } from "../repository.ts";
import type { Cluster } from "./cluster.ts";

export const chartFolder = join(repositoryRoot, "deploy/helm/zfarm");

const helmWithinMs = 60_000;
const workloadsWithinMs = 30_000;

/** Pod Security at its strictest. */
export const restricted = {
  "pod-security.kubernetes.io/enforce": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
};

/** What Helm prints; a failure rejects with its words. */
export async function runHelm(cluster: Cluster, args: readonly string[]): Promise<string> {
  const found = await helm.find();
  if (found === undefined) throw new Error("who runs Helm asked whether it is there before");
  const options = {
    env: { HOME: cluster.plane.folder, KUBECONFIG: cluster.plane.kubeconfig },
    timeout: helmWithinMs,
  };
  const { stdout, stderr } = await promisify(execFile)(found.path, args, options);
  return `${stdout}${stderr}`;
}

/** The objects that a Helm makes of one of the chart's files of values. */
export async function renderWith(path: string, file: string): Promise<unknown[]> {
  const values = join(chartFolder, "ci", file);
  // Without a release of Kubernetes each Helm supposes one of its own time.
  const args = ["template", "farm", chartFolder, "--kube-version", "1.36.0", "--values", values];
  const { stdout } = await promisify(execFile)(path, args, { timeout: helmWithinMs });
  return parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
}

interface Workload {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas?: number; readonly succeeded?: number };
}

/** Waits until every workload of a namespace has its pods, and every job of it is done. */
export async function allAdmitted(cluster: Cluster, namespace: string): Promise<void> {
  const list = async (group: string, resource: string) => {
    const path = `/apis/${group}/v1/namespaces/${namespace}/${resource}`;
    return (await cluster.client.get<{ items: Workload[] }>(path)).items;
  };
  await waitUntil(`every pod of ${namespace} is admitted`, workloadsWithinMs, async () => {
    const deployments = await list("apps", "deployments");
    const sets = [...deployments, ...(await list("apps", "statefulsets"))];
    const jobs = await list("batch", "jobs");
    const isWhole = sets.every(({ spec, status }) => status.replicas === spec.replicas);
    return sets.length > 0 && isWhole && jobs.every(({ status }) => status.succeeded === 1);
  });
}

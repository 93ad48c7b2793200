/**
 * A farm whose workers are pods of a cluster and whose leader scales them: real broker, gateway and
 * scheduler beside a real control plane, and behind each pod a simulated worker.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { defaultPool, type Outcome } from "@zfarm/contract";
import * as rights from "../../services/scheduler/src/autoscale/kubernetes/kubernetes-rights.ts";
import { type BenchFarm, openBenchFarm, type Service } from "../bench/bench-farm.ts";
import { readOutcomes, readQueue } from "../chaos/farm/scan-farm.ts";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { repositoryRoot } from "../repository.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import type { MirrorCounts } from "./mirror.ts";
import { grantRights } from "./rights.ts";
import { workerDeployment } from "./worker-deployment.ts";

export const namespace = "farm";
const deployment = "worker";
/** Of the names of its pods, and so of workers. */
export const podPrefix = `${deployment}-`;
const account = { namespace, name: "autoscaler" };
export const autoscalerUser = `system:serviceaccount:${namespace}:${account.name}`;
const gpusPerNode = 8;
const restWithinMs = 30_000;

export interface MirroredFarmOptions {
  /** That there may be, by the budget of devices; the pool alone may have twice as many. */
  readonly workersMax: number;
  readonly msPerStep: number;
}

export interface MirroredFarm {
  readonly cluster: Cluster;
  readonly farm: BenchFarm;
  /** In the order in which they lead; one to begin with. */
  readonly schedulers: readonly Service[];
  readonly gateway: Service;
  readonly client: FarmClient;
  readonly mirrorPid: number;
  /** Another one, which stands by. */
  addScheduler(): void;
  counts(): Promise<MirrorCounts>;
  /** Of all tasks, once none of them is in the queue any more. */
  storedOutcomes(): Promise<readonly Outcome[]>;
  stop(): Promise<void>;
}

export async function openMirroredFarm(options: MirroredFarmOptions): Promise<MirroredFarm> {
  const { workersMax, msPerStep } = options;
  const cluster = await openCluster();
  await cluster.namespace(namespace);
  await cluster.addNodes("node", Math.ceil(workersMax / gpusPerNode), gpusPerNode);
  await grantRights(cluster, account, rights.kubernetesRights);
  const shape = { namespace, name: deployment, replicas: 0 };
  const times = { graceSeconds: 60, startDelay: "2s" };
  await cluster.client.apply(workerDeployment({ ...shape, ...times }));
  const farm = await openBenchFarm();
  const settings = await autoscalerSettings(cluster, workersMax);
  const schedulers: Service[] = [];
  const addScheduler = (): void => {
    const env = { ...settings, SCHEDULER_ID: `scheduler-${schedulers.length}` };
    schedulers.push(farm.start("scheduler", env, "test/k8s/processes/scheduler.ts"));
  };
  addScheduler();
  const gateway = farm.start("gateway", { GATEWAY_HOST: "127.0.0.1", GATEWAY_PORT: "0" });
  await schedulers[0]?.line("leading");
  const { port } = await gateway.line("gateway listens");
  const args = [farm.nats.url, cluster.plane.kubeconfig, namespace, String(msPerStep)];
  const mirror = fork(join(repositoryRoot, "test/k8s/processes/mirror.ts"), args);
  const client = connectFarm({ address: `127.0.0.1:${String(port)}` });
  return {
    cluster,
    farm,
    schedulers,
    gateway,
    client,
    mirrorPid: mirror.pid ?? 0,
    addScheduler,
    counts: () => countsOf(mirror),
    storedOutcomes: async () => {
      const reader = await farm.connect("reader");
      const isEmpty = async () => (await readQueue(reader)).length === 0;
      await waitUntil("the queue is empty", restWithinMs, isEmpty);
      return (await readOutcomes(reader)).map(({ outcome }) => outcome);
    },
    stop: async () => {
      client.close();
      const exited = once(mirror, "exit");
      mirror.disconnect();
      await exited;
      await farm.stop();
      await cluster.stop();
    },
  };
}

async function autoscalerSettings(cluster: Cluster, gpuBudget: number) {
  const file = join(cluster.plane.folder, "autoscaler.json");
  const startWithinSeconds = { interactive: 1, standard: 1, batch: 1 };
  const bounds = { min: 0, max: 2 * gpuBudget, warm: 0, idleSecondsToZero: 2 };
  const pools = { [defaultPool]: { target: deployment, ...bounds, startWithinSeconds } };
  await writeFile(file, JSON.stringify({ tickSeconds: 1, gpuBudget, pools }));
  return {
    AUTOSCALER: "kubernetes",
    AUTOSCALER_FILE: file,
    POD_NAMESPACE: namespace,
    KUBECONFIG: await cluster.plane.kubeconfigOf(account),
  };
}

async function countsOf(mirror: ChildProcess): Promise<MirrorCounts> {
  const answer = once(mirror, "message");
  mirror.send("counts");
  return ((await answer) as [MirrorCounts])[0];
}

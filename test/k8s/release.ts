/** A release of the chart on a cluster: broker and store beside it, every pod a process. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { playedAnnotation, type S3Server, startMinio } from "@zfarm/testing";
import { startChaosFarm } from "../chaos/farm/chaos-farm.ts";
import type { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { metricOf } from "../chaos/farm/probe.ts";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { chartFolder, restricted, runHelm } from "./chart-on-cluster.ts";
import { type Cluster, isReady, namesOf, openCluster, type Pod } from "./cluster.ts";
import { FarmOnCluster } from "./farm-on-cluster.ts";
import { PodMachine } from "./pod-machine.ts";
import { type Endpoint, ServiceProxy } from "./service-proxy.ts";

export const namespace = "farm";
const readyWithinMs = 60_000;
const store = "zfarm-s3";
const gatewayPort = 50051;

/** In place of the program that draws, and of the one that waits for minutes. */
export const instead = {
  "services/gpu-worker/src/main.ts": "test/chaos/processes/worker.ts",
  "services/scheduler/src/main.ts": "test/k8s/processes/scheduler.ts",
};

const services = "app.kubernetes.io/component in (gateway,scheduler,worker)";
export const componentOf = (component: string): string =>
  `app.kubernetes.io/component=${component}`;

export class Release extends FarmOnCluster {
  readonly machine: PodMachine;
  readonly #store: S3Server;
  readonly #service: ServiceProxy;
  readonly #values: object[] = [everyPod];

  constructor(
    parts: ConstructorParameters<typeof FarmOnCluster>[0],
    own: { readonly machine: PodMachine; readonly store: S3Server },
  ) {
    super(parts);
    this.machine = own.machine;
    this.#store = own.store;
    this.#service = new ServiceProxy(() => this.endpoints("gateway", gatewayPort));
  }

  /** A client of the gateways' Service, once every gateway is ready; closed by the caller. */
  async connect(): Promise<FarmClient> {
    await this.ready("gateway");
    return connectFarm({ address: `127.0.0.1:${await this.#service.listen()}` });
  }

  /** Names of the pods of every service. */
  async pods(): Promise<string[]> {
    return namesOf(await this.cluster.podsBy(namespace, services));
  }

  async areReady(): Promise<boolean> {
    return (await this.cluster.podsBy(namespace, services)).every(isReady);
  }

  /** The scheduler that leads now. */
  async leader(): Promise<ManagedProcess> {
    return waitUntil("a scheduler leads", readyWithinMs, async () => {
      const schedulers = await this.cluster.podsBy(namespace, componentOf("scheduler"));
      for (const { metadata } of schedulers) {
        const process = this.processes.process(metadata.name);
        if (process === undefined) continue;
        if ((await metricOf(process, "zfarm_scheduler_leader")) === 1) return process;
      }
      return undefined;
    });
  }

  /** Where the ready pods of a component listen. */
  async endpoints(component: string, port: number): Promise<Endpoint[]> {
    const pods = await this.cluster.podsBy(namespace, componentOf(component));
    const open = pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp);
    return open.flatMap(({ metadata }) => {
      const host = this.machine.address(metadata.name);
      return host === undefined ? [] : [{ host, port }];
    });
  }

  /** Pods of workers that have not been told to stop. */
  async workers(): Promise<Pod[]> {
    const pods = await this.cluster.podsBy(namespace, componentOf("worker"));
    return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  isDrawing(): boolean {
    return this.processes.pods.some((pod) => this.processes.inHand(pod) > 0);
  }

  /** Runs Helm on the release with values on top of those it has. */
  async helm(verb: "install" | "upgrade", values: object): Promise<void> {
    this.#values.push(values);
    const args = [verb, "farm", chartFolder, "--namespace", namespace];
    for (const [index, file] of this.#values.entries()) {
      const path = join(this.farm.folder, `values-${index}.json`);
      await writeFile(path, JSON.stringify(file));
      args.push("--values", path);
    }
    await runHelm(this.cluster, args);
  }

  /** Names of a component's pods, once all of them are ready. */
  async ready(component: string): Promise<string[]> {
    return waitUntil(`every ${component} is ready`, readyWithinMs, async () => {
      const pods = await this.cluster.podsBy(namespace, componentOf(component));
      if (pods.length === 0 || !pods.every(isReady)) return undefined;
      return pods.map(({ metadata }) => metadata.name);
    });
  }

  override async stop(): Promise<void> {
    await this.#service.close();
    await super.stop();
    await this.#store.stop();
  }
}

/**
 * @param values Of the chart, on top of those that this machine needs.
 * @param prepare Makes what the cluster has before the chart is installed.
 */
export async function openRelease(
  values: object,
  prepare?: (cluster: Cluster) => Promise<void>,
): Promise<Release> {
  const s3 = await startMinio();
  const cluster = await openCluster();
  await cluster.namespace(namespace, restricted);
  await cluster.addNodes("node", 2, 4);
  await cluster.client.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: store, namespace },
    stringData: { "access-key": s3.accessKey, "secret-key": s3.secretKey },
  });
  const farm = await startChaosFarm({ workers: 0, gateways: 0, schedulers: 0, s3 });
  const machine = new PodMachine({ cluster, namespace, farm, instead });
  const create = machine.create.bind(machine);
  const release = new Release({ cluster, namespace, farm, create }, { machine, store: s3 });
  const { endpoint, region } = s3;
  const objectStorage = { endpoint, region, existingSecret: store };
  try {
    await prepare?.(cluster);
    await release.helm("install", { nats: { url: farm.natsUrl }, objectStorage, ...values });
    return release;
  } catch (error) {
    await release.stop();
    throw error;
  }
}

const played = { [playedAnnotation]: "true" };

/** One GPU for each worker, and a model that the stub takes for its own. */
export const everyPod = {
  gateway: { podAnnotations: played },
  scheduler: { podAnnotations: played },
  poolDefaults: {
    podAnnotations: played,
    gpu: { count: 1 },
    slots: 1,
    holdSeconds: 3,
    model: { kind: "path", path: "/stub" },
    resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1Gi" } },
  },
};

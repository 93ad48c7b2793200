/**
 * Makes of a pod a process on this machine, from what the pod itself says: its arguments, its
 * environment, its volumes. Each pod has an address of its own on the loopback, so that all of
 * them may listen on the same ports as they do in a cluster.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChaosFarm } from "../chaos/farm/chaos-farm.ts";
import { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { isReady } from "../chaos/farm/probe.ts";
import { repositoryRoot } from "../repository.ts";
import type { Cluster, Pod, PodContainer, PodVolume } from "./cluster.ts";

const restartMs = 1_000;

export interface PodMachineOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly farm: ChaosFarm;
  /** What runs in place of a program of the image, by the pod's first argument. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Set on top of what pods say. */
  readonly env?: Readonly<Record<string, string>>;
}

export class PodMachine {
  readonly #options: PodMachineOptions;
  readonly #addresses = new Map<string, string>();

  constructor(options: PodMachineOptions) {
    this.#options = options;
  }

  /** Of a pod that was made a process. */
  address(pod: string): string | undefined {
    return this.#addresses.get(pod);
  }

  async create(pod: Pod): Promise<ManagedProcess> {
    const { farm, instead = {} } = this.#options;
    const { name, ownerReferences = [] } = pod.metadata;
    const [container] = pod.spec.containers;
    const [program = "", ...args] = container.args ?? [];
    const address = `127.1.${this.#addresses.size >> 8}.${(this.#addresses.size & 255) + 1}`;
    this.#addresses.set(name, address);
    const isJob = ownerReferences.some(({ kind }) => kind === "Job");
    return new ManagedProcess({
      name,
      command: [process.execPath, join(repositoryRoot, instead[program] ?? program), ...args],
      env: { ...(await this.#environment(pod, container)), ...hostsOf(pod, address) },
      logFile: join(farm.folder, "logs", `${name}.log`),
      opsHost: address,
      ...(isJob ? {} : { restartMs }),
      isReady,
      onLine: (line) => farm.hear(name, line),
    });
  }

  async #environment(pod: Pod, container: PodContainer): Promise<NodeJS.ProcessEnv> {
    const { cluster, namespace, env: own } = this.#options;
    const places = await this.#mount(pod, container);
    const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"] };
    for (const { name, value = "", valueFrom } of container.env ?? []) {
      const { fieldRef, secretKeyRef } = valueFrom ?? {};
      if (fieldRef !== undefined) env[name] = fieldOf(pod, namespace, fieldRef.fieldPath);
      else if (secretKeyRef !== undefined) env[name] = await this.#secret(secretKeyRef);
      else env[name] = places.reduce((text, [from, to]) => text.replace(from, to), value);
    }
    if (pod.spec.automountServiceAccountToken !== false) {
      const account = { namespace, name: pod.spec.serviceAccountName ?? "default" };
      env["KUBECONFIG"] = await cluster.plane.kubeconfigOf(account);
    }
    return { ...env, ...own };
  }

  /** Where each path of the container lies on this machine. */
  async #mount(pod: Pod, container: PodContainer): Promise<[string, string][]> {
    const places: [string, string][] = [];
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const folder = join(this.#options.farm.folder, "pods", pod.metadata.name, name);
      await mkdir(folder, { recursive: true });
      const volume = pod.spec.volumes?.find((one) => one.name === name);
      if (volume !== undefined) await this.#fill(folder, volume);
      places.push([mountPath, folder]);
    }
    return places;
  }

  async #fill(folder: string, { configMap, secret }: PodVolume): Promise<void> {
    const files: Record<string, string | Buffer> = {};
    if (configMap !== undefined)
      Object.assign(files, await this.#data("configmaps", configMap.name));
    if (secret !== undefined) {
      const data = await this.#data("secrets", secret.secretName);
      for (const [key, value] of Object.entries(data)) files[key] = Buffer.from(value, "base64");
    }
    for (const [file, content] of Object.entries(files))
      await writeFile(join(folder, file), content);
  }

  async #secret({ name, key }: { name: string; key: string }): Promise<string> {
    const { [key]: value = "" } = await this.#data("secrets", name);
    return Buffer.from(value, "base64").toString();
  }

  async #data(resource: "configmaps" | "secrets", name: string): Promise<Record<string, string>> {
    const { cluster, namespace } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/${resource}/${name}`;
    return (await cluster.client.get<{ data: Record<string, string> }>(path)).data;
  }
}

/** Not every address, as in a pod of its own, but this one's. */
function hostsOf(pod: Pod, address: string): Record<string, string> {
  const [{ env = [], args = [] }] = pod.spec.containers;
  const hasOps = env.some(({ name }) => name === "OPS_PORT") && args[0]?.endsWith("main.ts");
  const listensOn = (port: string) => env.some(({ name }) => name === port);
  return {
    ...(hasOps === true ? { OPS_HOST: address } : {}),
    ...(listensOn("GATEWAY_PORT") ? { GATEWAY_HOST: address } : {}),
    ...(listensOn("AUTOSCALER_KEDA_PORT") ? { AUTOSCALER_KEDA_HOST: address } : {}),
  };
}

function fieldOf(pod: Pod, namespace: string, path: string): string {
  const fields: Record<string, string | undefined> = {
    "metadata.name": pod.metadata.name,
    "metadata.namespace": namespace,
    "spec.nodeName": pod.spec.nodeName,
  };
  const value = fields[path];
  if (value === undefined) throw new Error(`a pod asks for ${path}, which is not known here`);
  return value;
}

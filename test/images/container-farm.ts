/** A farm of containers as the chart describes them, beside a real broker and a real store. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { type NatsServer, type S3Server, startMinio, startNatsServer } from "@zfarm/testing";
import { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { isReady } from "../chaos/farm/probe.ts";
import { type Rendered, renderChart } from "../chart/render-chart.ts";
import { type FarmImage, image, runOnce } from "./farm-image.ts";
import { containerOf, type Place } from "./pod-container.ts";

const gateway = "127.3.0.1";

export class ContainerFarm {
  readonly client: FarmClient;
  readonly #image: FarmImage;
  readonly #parts: ContainerFarmParts;
  readonly #services: ManagedProcess[] = [];
  #places = 0;

  constructor(farmImage: FarmImage, parts: ContainerFarmParts) {
    this.#image = farmImage;
    this.#parts = parts;
    this.client = connectFarm({ address: `${gateway}:50051` });
  }

  /** Runs the pod of a component to its end; its output. Rejects where it fails. */
  async runPod(component: string): Promise<string> {
    return runOnce(this.#image, await this.#container(component, this.#place(component)));
  }

  /** The same with another program for Node: what it does in the place of the pod's own. */
  async runInPod(component: string, script: string): Promise<string> {
    const container = await this.#container(component, this.#place(component));
    const options = container.slice(0, container.indexOf(image));
    return runOnce(this.#image, [...options, image, "--eval", script]);
  }

  /** Starts the pod of a service; resolves when it is ready. */
  async startPod(component: string): Promise<ManagedProcess> {
    const place = this.#place(component);
    const service = new ManagedProcess({
      name: place.name,
      command: [...this.#image.run, ...(await this.#container(component, place))],
      env: process.env,
      logFile: join(this.#parts.folder, `${place.name}.log`),
      opsHost: place.address,
      isReady,
    });
    this.#services.push(service);
    service.start();
    await service.ready();
    return service;
  }

  async stop(): Promise<void> {
    this.client.close();
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.#parts.pause.stop();
    await this.#parts.nats.stop();
    await this.#parts.store.stop();
    await rm(this.#parts.folder, { recursive: true, force: true });
  }

  #place(component: string): Place {
    this.#places += 1;
    const { store, folder, pause } = this.#parts;
    return {
      name: `zfarm-test-${process.pid}-${component}-${this.#places}`,
      address: component === "gateway" ? gateway : `127.3.1.${this.#places}`,
      gateway,
      folder,
      pause: pause.name,
      secret: { "access-key": store.accessKey, "secret-key": store.secretKey },
    };
  }

  #container(component: string, place: Place): Promise<string[]> {
    return containerOf(this.#parts.objects, component, place);
  }
}

interface ContainerFarmParts {
  readonly objects: readonly Rendered[];
  readonly nats: NatsServer;
  readonly store: S3Server;
  readonly folder: string;
  readonly pause: ManagedProcess;
}

/** What a kubelet starts in each pod before its containers: process 1, and nothing else. */
async function startPause({ run }: FarmImage, folder: string): Promise<ManagedProcess> {
  const name = `zfarm-test-${process.pid}-pause`;
  const script = `
    process.on("SIGTERM", () => process.exit(0));
    setInterval(() => {}, 60_000);
    console.log(JSON.stringify({ isPause: true }));
  `;
  let isUp = false;
  const pause = new ManagedProcess({
    name,
    command: [...run, `--name=${name}`, image, "--eval", script],
    env: process.env,
    logFile: join(folder, `${name}.log`),
    isReady: () => Promise.resolve(isUp),
    onLine: () => (isUp = true),
  });
  pause.start();
  await pause.ready();
  return pause;
}

/** The farm with no container yet. */
export async function openContainerFarm(farmImage: FarmImage): Promise<ContainerFarm> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-containers-"));
  const nats = await startNatsServer();
  const store = await startMinio();
  const [repository = "", tag = ""] = image.split(":");
  const values = {
    "image.repository": repository,
    "image.tag": tag,
    "nats.url": nats.url,
    "objectStorage.endpoint": store.endpoint,
    "objectStorage.region": store.region,
    "autoscaler.kind": "none",
  };
  const set = Object.entries(values).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const objects = await renderChart("minimal", ...set);
  await mkdir(folder, { recursive: true });
  const pause = await startPause(farmImage, folder);
  return new ContainerFarm(farmImage, { objects, nats, store, folder, pause });
}

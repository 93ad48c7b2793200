/**
 * A real Kubernetes control plane on the loopback: etcd, API server, controllers, scheduler, and
 * kwok, which plays nodes and pods. It needs no certificates of anyone: the API server makes its
 * own, and everybody shows a token.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { invariant } from "@zfarm/runtime";
import {
  type ControlPlanePaths,
  findControlPlane,
} from "../../../../tools/servers/control-plane.mjs";
import { findFreePort } from "./free-port.ts";
import { KubeClient } from "./kube-client.ts";
import { writeControlPlaneFiles } from "./kube-files.ts";
import { KubeProcess, type KubeProgram } from "./kube-process.ts";
import { apiServer, controllers, etcd, kwok, scheduler } from "./kube-programs.ts";

const startWithinMs = 60_000;
const triesMax = 3;

/** Whether this machine has a control plane; where it has none, that is said loudly. */
export async function hasControlPlaneForTests(): Promise<boolean> {
  if ((await findControlPlane()) !== undefined) return true;
  const how = "no control plane found: `npm run test:k8s` builds one, which needs Go";
  process.stderr.write(`
*** SKIPPED: tests on a real Kubernetes control plane. ${how} ***

`);
  return false;
}

export interface ControlPlane {
  /** Its administrator's. */
  readonly client: KubeClient;
  /** A kubeconfig of its administrator, for programs. */
  readonly kubeconfig: string;
  /** Where it keeps its files and logs until it stops. */
  readonly folder: string;
  /** What each process holds in memory now, in bytes. */
  residentBytes(): Promise<Readonly<Record<string, number>>>;
  /** Ends every process and removes every file. */
  stop(): Promise<void>;
}

export async function startControlPlane(): Promise<ControlPlane> {
  const paths = await findControlPlane();
  invariant(paths !== undefined, "tests that start a control plane asked whether there is one");
  // Another process may take a free port first; then a server exits and others are tried.
  for (let attempt = 1; ; attempt += 1) {
    const plane = new RunningControlPlane(await mkdtemp(join(tmpdir(), "zfarm-kube-")));
    try {
      await plane.start(paths);
      return plane;
    } catch (error) {
      await plane.stop();
      if (attempt === triesMax) throw error;
    }
  }
}

class RunningControlPlane implements ControlPlane {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly #processes: KubeProcess[] = [];
  #client: KubeClient | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.kubeconfig = join(folder, "kubeconfig");
  }

  get client(): KubeClient {
    invariant(this.#client !== undefined, "a control plane is started before it is asked");
    return this.#client;
  }

  async start(paths: ControlPlanePaths): Promise<void> {
    const ports = { client: await findFreePort(), peer: await findFreePort() };
    const securePort = await findFreePort();
    const place = {
      folder: this.folder,
      server: `https://127.0.0.1:${securePort}`,
      certificates: join(this.folder, "certificates", "apiserver.crt"),
      token: randomBytes(16).toString("hex"),
    };
    await mkdir(join(this.folder, "certificates"));
    await writeControlPlaneFiles(place);
    this.#run(etcd(paths, ports));
    const server = this.#run(apiServer(paths, { securePort, etcdPort: ports.client }));
    await server.ready(() => this.#connect(place), startWithinMs);
    for (const program of [controllers, scheduler, kwok]) this.#run(program(paths));
    await server.ready(() => this.#servesAccounts(), startWithinMs);
  }

  async residentBytes(): Promise<Record<string, number>> {
    const sizes = this.#processes.map(async (one) => [one.name, await one.residentBytes()]);
    return Object.fromEntries(await Promise.all(sizes)) as Record<string, number>;
  }

  async stop(): Promise<void> {
    this.#client?.close();
    // In reverse, so that none of them writes of lost connections to its end.
    for (const one of this.#processes.splice(0).reverse()) await one.kill("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }

  #run(program: KubeProgram): KubeProcess {
    const started = new KubeProcess(program, this.folder);
    this.#processes.push(started);
    return started;
  }

  /** The server writes its certificate while it starts. */
  async #connect(place: { server: string; certificates: string; token: string }): Promise<boolean> {
    const certificates = await readFile(place.certificates, "utf8").catch(() => undefined);
    if (certificates === undefined) return false;
    this.#client?.close();
    this.#client = new KubeClient({ server: place.server, token: place.token, certificates });
    const answer = await this.#client.ask({ path: "/readyz" }).catch(() => undefined);
    return answer?.status === 200;
  }

  /** Without it no pod is admitted; its controller makes it once it runs. */
  async #servesAccounts(): Promise<boolean> {
    for (const one of this.#processes) invariant(!one.hasEnded, `${one.name} goes on running`);
    const path = "/api/v1/namespaces/default/serviceaccounts/default";
    return (await this.client.ask({ path })).status === 200;
  }
}

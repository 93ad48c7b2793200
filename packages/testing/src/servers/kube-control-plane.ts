/**
 * A real Kubernetes control plane on the loopback: etcd, API server, controllers, scheduler, and
 * kwok, which plays nodes and pods. It needs no certificates of anyone: the API server makes its
 * own, and everybody shows a token.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, invariant } from "@zfarm/runtime";
import {
  type ControlPlanePaths,
  findControlPlane,
} from "../../../../tools/servers/control-plane.mjs";
import { KubeClient } from "./kube-client.ts";
import { type KubePlace, kubeconfigOf, writeControlPlaneFiles } from "./kube-files.ts";
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

export interface AuditedRequest {
  /** When it came, milliseconds since the epoch. */
  readonly at: number;
  /** `system:serviceaccount:<namespace>:<name>` */
  readonly user: string;
  /** Kubernetes' own: `list`, not GET. */
  readonly verb: string;
  /** `pods`, `deployments.apps`, or with a subresource `deployments/scale.apps`. */
  readonly resource: string;
  /** HTTP's. */
  readonly status: number;
}

export interface ControlPlane {
  /** Its administrator's. */
  readonly client: KubeClient;
  /** A kubeconfig of its administrator, for programs. */
  readonly kubeconfig: string;
  /** Where it keeps its files and logs until it stops. */
  readonly folder: string;
  /** A kubeconfig of a service account that is there, with no more rights than it has. */
  kubeconfigOf(account: { readonly namespace: string; readonly name: string }): Promise<string>;
  /** What service accounts have asked for so far, oldest first. */
  audit(): Promise<readonly AuditedRequest[]>;
  /** What each process holds in memory now, in bytes. */
  residentBytes(): Promise<Readonly<Record<string, number>>>;
  /** Starts a program beside it, in its folder, which ends when it does. */
  run(program: KubeProgram): KubeProcess;
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
  #place: KubePlace;

  constructor(folder: string) {
    this.folder = folder;
    this.kubeconfig = join(folder, "kubeconfig");
    this.#place = {
      folder,
      server: "",
      certificates: join(folder, "certificates", "apiserver.crt"),
      token: randomBytes(16).toString("hex"),
    };
  }

  get client(): KubeClient {
    invariant(this.#client !== undefined, "a control plane is started before it is asked");
    return this.#client;
  }

  async start(paths: ControlPlanePaths): Promise<void> {
    const ports = { client: await findFreePort(), peer: await findFreePort() };
    const securePort = await findFreePort();
    this.#place = { ...this.#place, server: `https://127.0.0.1:${securePort}` };
    await mkdir(join(this.folder, "certificates"));
    await writeControlPlaneFiles(this.#place);
    this.run(etcd(paths, ports));
    const server = this.run(apiServer(paths, { securePort, etcdPort: ports.client }));
    await server.ready(() => this.#connect(), startWithinMs);
    for (const program of [controllers, scheduler, kwok]) this.run(program(paths));
    await server.ready(() => this.#servesAccounts(), startWithinMs);
  }

  async kubeconfigOf(account: { namespace: string; name: string }): Promise<string> {
    const { namespace, name } = account;
    const { status, body } = await this.client.ask({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    });
    invariant(status === 201, `a token for ${namespace}/${name} is made: ${status}`);
    const { token } = (body as { status: { token: string } }).status;
    const file = join(this.folder, `${namespace}-${name}.kubeconfig`);
    await writeFile(file, kubeconfigOf({ ...this.#place, token }), { mode: 0o600 });
    return file;
  }

  async audit(): Promise<AuditedRequest[]> {
    const text = await readFile(join(this.folder, "audit.log"), "utf8").catch(() => "");
    // The last line may be half written.
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return lines.filter((line) => line !== "").map(readAudited);
  }

  async residentBytes(): Promise<Record<string, number>> {
    const sizes = this.#processes.map(async (one) => [one.name, await one.residentBytes()]);
    return Object.fromEntries(await Promise.all(sizes)) as Record<string, number>;
  }

  run(program: KubeProgram): KubeProcess {
    const started = new KubeProcess(program, this.folder);
    this.#processes.push(started);
    return started;
  }

  async stop(): Promise<void> {
    this.#client?.close();
    // In reverse, so that none of them writes of lost connections to its end.
    for (const one of this.#processes.splice(0).reverse()) await one.kill("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The server writes its certificate while it starts. */
  async #connect(): Promise<boolean> {
    const place = this.#place;
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

interface AuditLine {
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
  };
  readonly responseStatus: { readonly code: number };
}

function readAudited(line: string): AuditedRequest {
  const told = JSON.parse(line) as AuditLine;
  const { user, verb, objectRef, responseStatus, requestReceivedTimestamp } = told;
  const { resource = "", subresource, apiGroup } = objectRef ?? {};
  const path = subresource === undefined ? resource : `${resource}/${subresource}`;
  const full = apiGroup === undefined ? path : `${path}.${apiGroup}`;
  const at = Date.parse(requestReceivedTimestamp);
  return { at, user: user.username, verb, resource: full, status: responseStatus.code };
}

/** The little of Kubernetes' HTTP API that tests need, beside the client that the product uses. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { invariant } from "@zfarm/runtime";
import type { KubeObject } from "./kube-objects.ts";

export interface KubeAnswer {
  /** HTTP's. */
  readonly status: number;
  /** The object, the list, or the Status that says what was wrong. */
  readonly body: unknown;
  /** What a Status says in words; empty where it is none. */
  readonly message: string;
}

/** One change that a watch tells. */
export interface KubeChange<Item> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Item;
}

export interface KubeRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From `/api` or `/apis` on, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Of a PATCH; merge where absent. */
  readonly patch?: "merge" | "strategic-merge" | "json" | "apply";
}

/** Whom to act as: a service account is `system:serviceaccount:<namespace>:<name>`. */
export interface Impersonated {
  readonly user: string;
  readonly groups?: readonly string[];
}

export interface KubeAccess {
  /** https://127.0.0.1:port */
  readonly server: string;
  readonly token: string;
  /** PEM. */
  readonly certificates: string;
}

const patchTypes = {
  merge: "application/merge-patch+json",
  "strategic-merge": "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
  // JSON is YAML.
  apply: "application/apply-patch+yaml",
};

export class KubeClient {
  readonly #access: KubeAccess;
  readonly #agent: Agent;
  readonly #as: Impersonated | undefined;
  /** The resource of a kind, as discovery told it. */
  readonly #resources = new Map<string, Promise<KubeResource>>();

  constructor(access: KubeAccess, as?: Impersonated) {
    this.#access = access;
    this.#as = as;
    this.#agent = new Agent({ ca: access.certificates, keepAlive: true, maxSockets: 64 });
  }

  as(whom: Impersonated): KubeClient {
    return new KubeClient(this.#access, whom);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Any answer, refusals included. */
  async ask(asked: KubeRequest): Promise<KubeAnswer> {
    const answer = await this.#send(asked);
    const told = parse(await text(answer));
    return { status: answer.statusCode ?? 0, body: told, message: messageOf(told) };
  }

  /**
   * What is there, and then every change, until `stop` aborts or the server ends it.
   * @param path Of a list, without a query.
   */
  async *watch<Item>(path: string, stop: AbortSignal): AsyncGenerator<KubeChange<Item>> {
    let rest = "";
    try {
      const answer = await this.#send({ path: `${path}?watch=1` }, stop);
      invariant(answer.statusCode === 200, `${path} is watched: ${answer.statusCode}`);
      for await (const chunk of answer.setEncoding("utf8")) {
        const lines = `${rest}${String(chunk)}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line) as KubeChange<Item>;
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** The body of a success; a refusal is a test's failure. */
  async get<Body>(path: string): Promise<Body> {
    return (await this.#must({ path })) as Body;
  }

  /** Creates the object, or makes it what is given: server-side, strictly, as one field manager. */
  async apply(object: KubeObject): Promise<void> {
    const query = "?fieldManager=zfarm-test&force=true&fieldValidation=Strict";
    const path = `${await this.pathOf(object)}${query}`;
    await this.#must({ method: "PATCH", path, body: object, patch: "apply" });
  }

  /** A merge patch. */
  async merge(path: string, body: object): Promise<void> {
    await this.#must({ method: "PATCH", path, body });
  }

  /** Deletes, or asks to; what is gone already is no failure. */
  async remove(path: string, graceSeconds?: number): Promise<void> {
    const query = graceSeconds === undefined ? "" : `?gracePeriodSeconds=${graceSeconds}`;
    const answer = await this.ask({ method: "DELETE", path: `${path}${query}` });
    if (answer.status !== 404) check(`DELETE ${path}`, answer);
  }

  /** Where an object has its place in the API. */
  async pathOf({ apiVersion, kind, metadata }: KubeObject): Promise<string> {
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const key = `${apiVersion} ${kind}`;
    const { name, namespaced } = await (this.#resources.get(key) ??
      this.#discover(root, kind, key));
    const place = namespaced ? `/namespaces/${metadata.namespace ?? "default"}` : "";
    return `${root}${place}/${name}/${metadata.name}`;
  }

  #discover(root: string, kind: string, key: string): Promise<KubeResource> {
    const told = this.get<{ readonly resources: readonly KubeResource[] }>(root);
    const found = told.then(({ resources }) => {
      const resource = resources.find((one) => one.kind === kind && !one.name.includes("/"));
      invariant(resource !== undefined, `the API server knows ${key}`);
      return resource;
    });
    this.#resources.set(key, found);
    return found;
  }

  async #send(
    { method = "GET", path, body, patch = "merge" }: KubeRequest,
    stop?: AbortSignal,
  ): Promise<IncomingMessage> {
    const headers: Record<string, string | string[]> = {
      authorization: `Bearer ${this.#access.token}`,
      accept: "application/json",
      "content-type": method === "PATCH" ? patchTypes[patch] : "application/json",
    };
    if (this.#as !== undefined) headers["impersonate-user"] = this.#as.user;
    if (this.#as?.groups !== undefined) headers["impersonate-group"] = [...this.#as.groups];
    const url = `${this.#access.server}${path}`;
    const signal = stop === undefined ? {} : { signal: stop };
    const asked = request(url, { method, headers, agent: this.#agent, ...signal });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return answer;
  }

  async #must(asked: KubeRequest): Promise<unknown> {
    const answer = await this.ask(asked);
    check(`${asked.method ?? "GET"} ${asked.path}`, answer);
    return answer.body;
  }
}

interface KubeResource {
  /** As in paths: `pods`. */
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function check(what: string, { status, message }: KubeAnswer): void {
  invariant(status < 300, `${what} succeeds: ${status} ${message}`);
}

function messageOf(body: unknown): string {
  const isStatus = typeof body === "object" && body !== null && "message" in body;
  return isStatus ? String(body.message) : "";
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

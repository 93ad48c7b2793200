/**
 * Sends one request to the API server of Kubernetes, with the credentials that the client library
 * finds. Its only importer, and only once it is needed: loading it takes half a second and seventy
 * megabytes. The classes that it generates for each kind of object are left aside: unpacking a long
 * list of pods with them takes several times as long as parsing it.
 */
import type * as KubernetesLibrary from "@kubernetes/client-node";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { KubernetesConfig } from "./kubernetes-config.ts";

type Library = typeof KubernetesLibrary;
type RequestContext = InstanceType<Library["RequestContext"]>;
type Connections = NonNullable<ReturnType<RequestContext["getDispatcher"]>>;

export interface KubernetesRequest {
  readonly method: "GET" | "PUT" | "PATCH" | "POST";
  /** From `/api` or `/apis` on. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Of a PATCH it is a merge patch: `null` takes a field away. */
  readonly body?: object;
}

export interface KubernetesReply {
  /** HTTP's. */
  readonly status: number;
  /** The object, the list, or the Status that says what was wrong. */
  readonly body: unknown;
  readonly retryAfterMs?: number;
}

export interface KubernetesTransport {
  /** Any answer at all; rejects where there is none, or not in time. */
  send(request: KubernetesRequest, stop: AbortSignal): Promise<KubernetesReply>;
  close(): Promise<void>;
}

/** Finds the credentials; asks nothing yet. */
export async function openKubernetesTransport(
  { kubeconfig }: KubernetesConfig,
  clock: Clock,
): Promise<KubernetesTransport> {
  const library = await import("@kubernetes/client-node");
  const access = new library.KubeConfig();
  try {
    if (kubeconfig === undefined) access.loadFromCluster();
    else access.loadFromFile(kubeconfig);
  } catch (error) {
    const where = kubeconfig ?? "the service account of this pod";
    throw new FarmError("CLUSTER_UNAVAILABLE", `no access to Kubernetes through ${where}`, {
      cause: error,
    });
  }
  return new LibraryTransport(library, access, clock);
}

class LibraryTransport implements KubernetesTransport {
  readonly #library: Library;
  readonly #access: InstanceType<Library["KubeConfig"]>;
  readonly #clock: Clock;
  #connections: Connections | undefined;
  #renewAtMs = 0;

  constructor(library: Library, access: InstanceType<Library["KubeConfig"]>, clock: Clock) {
    this.#library = library;
    this.#access = access;
    this.#clock = clock;
  }

  async send(request: KubernetesRequest, stop: AbortSignal): Promise<KubernetesReply> {
    const { RequestContext, IsomorphicFetchHttpLibrary } = this.#library;
    const server = this.#access.getCurrentCluster()?.server ?? "";
    const context = new RequestContext(`${server}${request.path}`, request.method);
    this.#fill(context, request);
    await this.#access.applySecurityAuthentication(context);
    this.#shareConnections(context);
    context.setSignal(AbortSignal.any([stop, AbortSignal.timeout(limits.kubernetesCallMs)]));
    const answer = await new IsomorphicFetchHttpLibrary().send(context).toPromise();
    const body = parse(await answer.body.text());
    const seconds = Number(answer.headers["retry-after"] ?? Number.NaN);
    const retry = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1_000 } : {};
    return { status: answer.httpStatusCode, body, ...retry };
  }

  async close(): Promise<void> {
    await this.#connections?.destroy();
  }

  #fill(context: RequestContext, { method, query = {}, body }: KubernetesRequest): void {
    for (const [name, value] of Object.entries(query)) context.setQueryParam(name, value);
    context.setHeaderParam("accept", "application/json");
    if (body === undefined) return;
    const { MergePatch } = this.#library.PatchStrategy;
    context.setHeaderParam("content-type", method === "PATCH" ? MergePatch : "application/json");
    context.setBody(JSON.stringify(body));
  }

  /** The library would open a connection for each request; the certificates are those of then. */
  #shareConnections(context: RequestContext): void {
    const fresh = context.getDispatcher();
    const now = this.#clock.monotonic();
    if (fresh !== undefined && (this.#connections === undefined || now >= this.#renewAtMs)) {
      this.#connections?.close().catch(() => undefined);
      this.#connections = fresh;
      this.#renewAtMs = now + limits.kubernetesConnectionMs;
    }
    if (this.#connections !== undefined) context.setDispatcher(this.#connections);
  }
}

/** What stands between the server and its clients does not always speak JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

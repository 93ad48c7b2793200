/** What operators and probes ask a process: is it alive, is it ready, what does it measure. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { invariant } from "./invariant.ts";
import type { Registry } from "./metrics.ts";

export interface OpsServerOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** All interfaces when left out: probes come from outside. */
  readonly host?: string;
  readonly registry: Registry;
  /** Why the process is not ready; empty when it is. */
  readonly problems: () => Promise<readonly string[]>;
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/**
 * Serves GET /livez (200 while the event loop turns), /readyz (200, or 503 and one problem per
 * line) and /metrics. Rejects when the port is taken.
 */
export async function openOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "/";
    const known = request.method === "GET" || request.method === "HEAD";
    const answering = known ? answer(path, options) : Promise.resolve(methodNotAllowed);
    void answering
      .catch((error: unknown) => ({ status: 500, body: `${String(error)}\n` }))
      .then(({ status, body, contentType = "text/plain; charset=utf-8" }: Answer) => {
        response.writeHead(status, { "content-type": contentType }).end(body);
      });
  });
  await listen(server, options);
  const address = server.address();
  invariant(isAddressInfo(address), "a listening TCP server has a port");
  return { port: address.port, close: () => closeServer(server) };
}

const methodNotAllowed: Answer = { status: 405, body: "only GET and HEAD\n" };

async function answer(path: string, options: OpsServerOptions): Promise<Answer> {
  if (path === "/livez") return { status: 200, body: "ok\n" };
  if (path === "/readyz") {
    const problems = await options.problems();
    if (problems.length === 0) return { status: 200, body: "ok\n" };
    return { status: 503, body: problems.map((problem) => `${problem}\n`).join("") };
  }
  if (path === "/metrics") {
    const body = await options.registry.metrics();
    return { status: 200, body, contentType: options.registry.contentType };
  }
  return { status: 404, body: "try /livez, /readyz or /metrics\n" };
}

function listen(server: Server, { port, host }: OpsServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Also ends idle keep-alive connections, which would hold the close for seconds. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return address !== null && typeof address === "object";
}

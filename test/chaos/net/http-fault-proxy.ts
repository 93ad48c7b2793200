/** An HTTP proxy in front of a store that answers some requests itself, with an error. */
import { once } from "node:events";
import { createServer, type Server, request as startRequest } from "node:http";

export interface HttpFaultProxy {
  readonly port: number;
  /** How many requests it answered with an error. */
  readonly failed: number;
  /** The share of requests that fail from now on; "PUT" only where `method` says so. */
  set(faults: { readonly share: number; readonly statuses: readonly number[] }): void;
  stop(): Promise<void>;
}

const slowDown = '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>';

export async function startHttpFaultProxy(
  targetPort: number,
  random: () => number,
): Promise<HttpFaultProxy> {
  const state = { failed: 0, share: 0, statuses: [503] as readonly number[] };
  const server: Server = createServer((request, response) => {
    if (random() < state.share) {
      state.failed += 1;
      const status = state.statuses[Math.floor(random() * state.statuses.length)] ?? 503;
      request.resume();
      response.writeHead(status, { "content-type": "application/xml" }).end(slowDown);
      return;
    }
    const { method, url, headers } = request;
    const options = { host: "127.0.0.1", port: targetPort, method, path: url, headers };
    const onward = startRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    get failed() {
      return state.failed;
    },
    set: ({ share, statuses }) => Object.assign(state, { share, statuses }),
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/**
 * Names and addresses of Services for a program that is no pod: a proxy by CONNECT, which finds the
 * pods that are ready when somebody calls `service.namespace:port`.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Endpoint } from "../service-proxy.ts";

export type Services = Readonly<Record<string, () => Promise<readonly Endpoint[]>>>;

export class ClusterNetwork {
  readonly #server: Server;
  readonly #streams = new Set<Duplex>();
  /** What was asked for, and which address answered; none where no pod was ready. */
  readonly calls: { readonly service: string; readonly host?: string }[] = [];

  /** @param services By `service.namespace:port`. */
  constructor(services: Services) {
    this.#server = createServer();
    this.#server.on("connect", (request, caller: Duplex) => {
      this.#keep(caller);
      const service = request.url ?? "";
      void (services[service]?.() ?? Promise.resolve([])).then((ready) => {
        const endpoint = ready[this.calls.length % ready.length];
        this.calls.push({ service, ...endpoint });
        if (endpoint === undefined) caller.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        else this.#join(caller, connect(endpoint));
      });
    });
  }

  /** Listens on the loopback; resolves with its address. */
  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const stream of this.#streams) stream.destroy();
    await once(this.#server, "close");
  }

  #keep(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
  }

  /** When one side goes, so does the other. */
  #join(caller: Duplex, pod: Socket): void {
    this.#keep(pod);
    pod.once("connect", () => caller.write("HTTP/1.1 200 Connection established\r\n\r\n"));
    const pairs = [
      [caller, pod],
      [pod, caller],
    ] as const;
    for (const [from, to] of pairs) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  }
}

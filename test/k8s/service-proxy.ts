/** Stands for a Service: one address, behind it whichever pods are ready when somebody calls. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export class ServiceProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #calls = 0;

  /** @param endpoints Those that are ready now. */
  constructor(endpoints: () => Promise<readonly Endpoint[]>) {
    this.#server = createServer((caller) => {
      this.#keep(caller);
      void endpoints().then((ready) => {
        this.#calls += 1;
        const endpoint = ready[this.#calls % ready.length];
        if (endpoint === undefined) caller.destroy();
        else this.#join(caller, this.#keep(connect(endpoint)));
      });
    });
  }

  /** Listens on the loopback; resolves with the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no TCP address");
    return address.port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  /** When one side goes, so does the other. */
  #join(caller: Socket, pod: Socket): void {
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

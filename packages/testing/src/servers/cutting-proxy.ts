/** A TCP proxy that can swallow an answer and break the connection, as a crash at that moment. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { invariant } from "@zfarm/runtime";

export interface CuttingProxy {
  readonly port: number;
  /**
   * Once a client sends something that contains `text`: passes it on, drops everything the server
   * says from then on, and breaks the connection after the server has answered. Happens once.
   */
  cutAnswerTo(text: string): void;
  /** Breaks every connection there is. */
  cutAll(): void;
  /** How many answers were cut. */
  readonly cuts: number;
  stop(): Promise<void>;
}

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const cutting = { text: undefined as string | undefined, cuts: 0 };
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    const pair = [client, target];
    const destroy = (): void => pair.forEach((socket) => socket.destroy());
    let isCut = false;
    for (const socket of pair) {
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        destroy();
      });
      socket.on("error", destroy);
    }
    client.on("data", (chunk) => {
      if (cutting.text !== undefined && chunk.includes(cutting.text)) {
        cutting.text = undefined;
        cutting.cuts += 1;
        isCut = true;
      }
      target.write(chunk);
    });
    target.on("data", (chunk) => {
      if (isCut) destroy();
      else client.write(chunk);
    });
  });
  const cutAll = (): void => sockets.forEach((socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  invariant(address !== null && typeof address === "object", "a TCP server has an address");
  return {
    port: address.port,
    get cuts() {
      return cutting.cuts;
    },
    cutAnswerTo: (text) => {
      cutting.text = text;
    },
    cutAll,
    stop: async () => {
      server.close();
      cutAll();
      await once(server, "close");
    },
  };
}

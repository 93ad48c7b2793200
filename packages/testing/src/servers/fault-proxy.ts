/**
 * A TCP proxy that does to a connection what networks do: delay, silence in one or both
 * directions, a trickle, slices, a cut or a flipped bit after so many bytes, a reset. What is set
 * holds for the connections there are and for those that come.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** "up" is from the client to the server. */
export type Direction = "up" | "down";

export interface Toxics {
  /** Each chunk arrives this much later, the order kept. */
  readonly delayMs?: number;
  /** Added to the delay or taken from it, uniformly. */
  readonly jitterMs?: number;
  /** Nothing gets through and nobody is told; what was sent arrives when it is over. */
  readonly blackHole?: Direction | "both";
  readonly bytesPerSecond?: number;
  /** Chunks are passed on in pieces of this size. */
  readonly sliceBytes?: number;
  /** Each connection is reset once this many bytes went this way. */
  readonly cutAfter?: { readonly direction: Direction; readonly bytes: number };
  /** The lowest bit of this byte of what goes this way is flipped, on the next connection only. */
  readonly corruptAt?: { readonly direction: Direction; readonly byte: number };
  /** Connections are reset as soon as they come. */
  readonly refuse?: boolean;
}

export interface FaultProxyOptions {
  readonly targetPort: number;
  readonly targetHost?: string;
  /** Where it listens; the loopback when absent. */
  readonly host?: string;
  readonly random?: () => number;
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.listen();
  return proxy;
}

const loopback = "127.0.0.1";
const lookEveryMs = 10;

export class FaultProxy {
  readonly #options: FaultProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #toxics: Toxics = {};
  #corrupted = 0;
  #cuts = 0;
  #port = 0;

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#server = createServer((client) => this.#join(client));
  }

  get port(): number {
    return this.#port;
  }

  /** Bytes that were flipped. */
  get corrupted(): number {
    return this.#corrupted;
  }

  /** Connections that were cut or refused. */
  get cuts(): number {
    return this.#cuts;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.#options.host ?? loopback);
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  /** Replaces what was set before; without arguments the network is well again. */
  set(toxics: Toxics = {}): void {
    this.#toxics = toxics;
  }

  /** Breaks every connection there is. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    if (this.#toxics.refuse === true) {
      this.#cuts += 1;
      client.resetAndDestroy();
      return;
    }
    const { targetPort, targetHost = loopback } = this.#options;
    const server = connect(targetPort, targetHost);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    void this.#pump(client, server, "up");
    void this.#pump(server, client, "down");
  }

  async #pump(from: Socket, to: Socket, direction: Direction): Promise<void> {
    const line: { chunk: Buffer; dueMs: number }[] = [];
    const state = { passed: 0, dueMs: 0, ended: false };
    from.on("data", (chunk: Buffer) => {
      // Later than the one before it, whatever the jitter.
      state.dueMs = Math.max(state.dueMs, performance.now() + this.#delayMs());
      line.push({ chunk, dueMs: state.dueMs });
    });
    from.on("end", () => {
      state.ended = true;
    });
    while (!to.destroyed && !from.destroyed) {
      const next = line[0];
      if (next === undefined && state.ended) break;
      if (next === undefined || next.dueMs > performance.now() || this.#isSilent(direction)) {
        await sleep(next === undefined || this.#isSilent(direction) ? lookEveryMs : 1);
        continue;
      }
      line.shift();
      await this.#pass(next.chunk, { from, to, direction, state });
    }
    to.end();
  }

  async #pass(
    chunk: Buffer,
    way: { from: Socket; to: Socket; direction: Direction; state: { passed: number } },
  ): Promise<void> {
    const { sliceBytes = chunk.length, bytesPerSecond } = this.#toxics;
    for (let start = 0; start < chunk.length; start += sliceBytes) {
      const slice = this.#corrupt(chunk.subarray(start, start + sliceBytes), way);
      if (bytesPerSecond !== undefined) await sleep((slice.length * 1_000) / bytesPerSecond);
      const { cutAfter } = this.#toxics;
      way.state.passed += slice.length;
      if (cutAfter?.direction === way.direction && way.state.passed >= cutAfter.bytes) {
        this.#cuts += 1;
        way.from.resetAndDestroy();
        way.to.resetAndDestroy();
        return;
      }
      if (!way.to.write(slice)) await drainedOrClosed(way.to);
    }
  }

  #corrupt(slice: Buffer, way: { direction: Direction; state: { passed: number } }): Buffer {
    const { corruptAt } = this.#toxics;
    if (corruptAt?.direction !== way.direction) return slice;
    const offset = corruptAt.byte - way.state.passed;
    if (offset < 0 || offset >= slice.length) return slice;
    const { corruptAt: _, ...others } = this.#toxics;
    this.#toxics = others;
    this.#corrupted += 1;
    const copy = Buffer.from(slice);
    copy[offset] = (copy[offset] ?? 0) ^ 1;
    return copy;
  }

  #isSilent(direction: Direction): boolean {
    const { blackHole } = this.#toxics;
    return blackHole === "both" || blackHole === direction;
  }

  #delayMs(): number {
    const { delayMs = 0, jitterMs = 0 } = this.#toxics;
    const { random = Math.random } = this.#options;
    return Math.max(0, delayMs + (random() * 2 - 1) * jitterMs);
  }
}

function drainedOrClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", resolve);
  });
}

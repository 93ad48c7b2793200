/** The local farm's nats-server as a supervised process: ready when it greets. */
import { connect } from "node:net";
import type { Clock, Env } from "@zfarm/runtime";
import { SupervisedProcess } from "./supervised-process.ts";

export interface NatsProcessOptions {
  readonly binary: string;
  readonly port: number;
  readonly storeDir: string;
  readonly logFile: string;
  readonly env: Env;
  readonly clock: Clock;
  readonly note: (line: string) => void;
  readonly onStart?: (pid: number) => void;
}

/** How long one look at the port may take. */
const probeMs = 1_000;

export function createNatsProcess(options: NatsProcessOptions): SupervisedProcess {
  const { binary, port, storeDir, ...rest } = options;
  return new SupervisedProcess({
    ...rest,
    name: "nats-server",
    command: binary,
    args: ["--addr", "127.0.0.1", "--port", String(port), "--jetstream", "--store_dir", storeDir],
    isReady: () => greets(port),
    readLine: (line) => line,
  });
}

/** A NATS server speaks first: one line of INFO. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: probeMs });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (bytes) => end(bytes.toString("latin1").startsWith("INFO")));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

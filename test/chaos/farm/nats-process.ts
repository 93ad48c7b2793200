/** The nats-server of a farm under test; it keeps its port and its store through its deaths. */

import { connect } from "node:net";
import { join } from "node:path";
import { ManagedProcess } from "./managed-process.ts";

export interface NatsProcessOptions {
  readonly binary: string;
  readonly port: number;
  readonly storeDir: string;
  readonly logDir: string;
  readonly restartMs: number;
}

const probeMs = 1_000;

export function createNatsProcess(options: NatsProcessOptions): ManagedProcess {
  const { binary, port, storeDir, logDir, restartMs } = options;
  return new ManagedProcess({
    name: "nats-server",
    command: [binary, "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", storeDir],
    env: {},
    logFile: join(logDir, "nats-server.log"),
    restartMs,
    isReady: () => isGreeted(port),
  });
}

/** A NATS server speaks first; it listens only once its streams are recovered. */
function isGreeted(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (greeted: boolean): void => {
      socket.destroy();
      resolve(greeted);
    };
    socket.setTimeout(probeMs, () => answer(false));
    socket.once("data", (chunk) => answer(chunk.toString().startsWith("INFO ")));
    socket.once("error", () => answer(false));
    socket.once("close", () => answer(false));
  });
}

/** Which broker a farm on this machine uses; every choice is said in words. */
import { join } from "node:path";
import { type Clock, type Env, findFreePort } from "@zfarm/runtime";
import { findNatsServer } from "../../../tools/servers/nats-server.mjs";
import { createNatsProcess } from "./nats-process.ts";

export interface ChosenBroker {
  readonly description: string;
  /** Absent: the in-memory broker. */
  readonly url?: string;
  stop(): Promise<void>;
}

interface ChooseOptions {
  readonly env: Env;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly note: (line: string) => void;
  readonly onStart?: (name: string, pid: number) => void;
}

/** In this order: NATS_URL, a nats-server found or made, the in-memory broker. */
export async function chooseBroker(options: ChooseOptions): Promise<ChosenBroker> {
  const { env, note } = options;
  const given = env["NATS_URL"];
  if (given !== undefined && given !== "") {
    return { description: `NATS at ${given} (NATS_URL)`, url: given, stop: async () => undefined };
  }
  if (env["ZFARM_BROKER"] === "memory") {
    note("warning: tasks are kept in memory and nothing survives a restart");
    return { description: "in memory (ZFARM_BROKER)", stop: async () => undefined };
  }
  const found = await findNatsServer({ fetch: true, log: note });
  if (found === undefined) {
    note("warning: no nats-server here and none could be made;");
    note("warning: tasks are kept in memory and nothing survives a restart");
    return { description: "in memory", stop: async () => undefined };
  }
  return await startNats(found, options);
}

async function startNats(
  found: { readonly path: string; readonly version: string; readonly source: string },
  { dataDir, onStart, stop, ...rest }: ChooseOptions,
): Promise<ChosenBroker> {
  const port = await findFreePort();
  const server = createNatsProcess({
    ...rest,
    binary: found.path,
    port,
    storeDir: join(dataDir, "nats"),
    logFile: join(dataDir, "logs", "nats-server.log"),
    onStart: (pid) => onStart?.("nats-server", pid),
  });
  server.start();
  await server.ready(stop);
  return {
    description: `nats-server ${found.version} on port ${port} (${found.source})`,
    url: `nats://127.0.0.1:${port}`,
    stop: () => server.stop(),
  };
}

/** Ports for servers that cannot choose one themselves. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { invariant } from "./invariant.ts";

/**
 * Below what systems give to who asks for any port, 32768 on Linux and 49152 elsewhere, and below
 * what Kubernetes gives to services. From there a client's connection could take the port before
 * its server starts, or while it is started again.
 */
export const freePorts = { first: 10_000, end: 30_000 } as const;
const triesMax = 100;

/** A port that was free on the loopback just now; only another caller may still be faster. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = randomInt(freePorts.first, freePorts.end);
    if (await isFree(port)) return port;
  }
  invariant(false, `one of ${triesMax} ports is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  const listens = await once(server, "listening").then(
    () => true,
    () => false,
  );
  if (!listens) return false;
  server.close();
  await once(server, "close");
  return true;
}

/** Ports for servers that cannot choose one themselves. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { invariant } from "@zfarm/runtime";

/**
 * Below what systems give to who asks for any port: 32768 on Linux, 49152 elsewhere. From there a
 * client's connection could take the port before its server starts, or while it is killed.
 */
export const testPorts = { first: 10_000, end: 30_000 } as const;
const triesMax = 100;

/** A port that was free on the loopback just now; only another test may still be faster. */
export async function findFreePort(): Promise<number> {
  let port = drawPort();
  for (let tries = 1; !(await isFree(port)); tries += 1) {
    invariant(tries < triesMax, `one of ${triesMax} ports is free`);
    port = drawPort();
  }
  return port;
}

const drawPort = (): number => randomInt(testPorts.first, testPorts.end);

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  const isOpen = await once(server, "listening").then(
    () => true,
    () => false,
  );
  if (!isOpen) return false;
  server.close();
  await once(server, "close");
  return true;
}

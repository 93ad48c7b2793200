/** A port of this machine that nobody listens on right now, and that nobody is given later. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { FarmError } from "@zfarm/contract";

/**
 * Systems give ports from 32768 (Linux) or 49152 on to whoever asks for any. One of those would be
 * given away while its server is started again, which then could not listen any more.
 */
const ports = { first: 10_000, end: 32_768 };
const triesMax = 100;

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = randomInt(ports.first, ports.end);
    if (await isFree(port)) return port;
  }
  throw new FarmError("INTERNAL", `none of ${triesMax} ports is free`);
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

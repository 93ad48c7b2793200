/** A port of this machine that nobody listens on right now. */
import { once } from "node:events";
import { createServer } from "node:net";
import { FarmError } from "@zfarm/contract";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new FarmError("INTERNAL", "the system gave no port");
  }
  return address.port;
}

/** Ports for servers that cannot choose one themselves. */
import { once } from "node:events";
import { createServer } from "node:net";
import { invariant } from "@zfarm/runtime";

/** A port that was free on the loopback just now; another process may still be faster. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  invariant(address !== null && typeof address === "object", "a TCP server has an address");
  server.close();
  await once(server, "close");
  return address.port;
}

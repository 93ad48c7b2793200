import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { findFreePort, freePorts } from "./find-free-port.ts";

test("a free port can be listened on, and systems as they come give it to nobody", async () => {
  const port = await findFreePort();
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");

  expect(port).toBeGreaterThanOrEqual(freePorts.first);
  expect(port).toBeLessThan(freePorts.end);
  server.close();
});

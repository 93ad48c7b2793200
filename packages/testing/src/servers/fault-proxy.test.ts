/** The proxy must do what it says: each fault is seen from both ends of a real connection. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";

let server: Server;
let proxy: FaultProxy;

/** A server that sends back what it gets. */
beforeEach(async () => {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => socket.write(chunk));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const targetPort = address !== null && typeof address === "object" ? address.port : 0;
  proxy = await startFaultProxy({ targetPort, random: () => 0.5 });
});

afterEach(async () => {
  await proxy.stop();
  server.close();
});

async function dial(): Promise<Socket & { heard: Buffer[] }> {
  const socket = Object.assign(connect(proxy.port, "127.0.0.1"), { heard: [] as Buffer[] });
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => socket.heard.push(chunk));
  await once(socket, "connect");
  return socket;
}

const closeOf = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));
const textOf = (socket: { heard: Buffer[] }): string => Buffer.concat(socket.heard).toString();

test("passes bytes both ways untouched", async () => {
  const socket = await dial();

  socket.write("hello");

  await expect.poll(() => textOf(socket)).toBe("hello");
  socket.destroy();
});

test("delays each way and keeps the order", async () => {
  proxy.set({ delayMs: 60, jitterMs: 10 });
  const socket = await dial();
  const startedMs = performance.now();

  socket.write("a");
  socket.write("b");
  await expect.poll(() => textOf(socket)).toBe("ab");

  expect(performance.now() - startedMs).toBeGreaterThan(100);
  socket.destroy();
});

test("a black hole lets nothing through until it is over, and breaks nothing", async () => {
  const socket = await dial();
  proxy.set({ blackHole: "down" });
  socket.write("x");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(textOf(socket)).toBe("");

  proxy.set();

  await expect.poll(() => textOf(socket)).toBe("x");
  expect(socket.destroyed).toBe(false);
  socket.destroy();
});

test("cuts a connection after so many bytes", async () => {
  proxy.set({ cutAfter: { direction: "up", bytes: 4 } });
  const socket = await dial();
  const closed = closeOf(socket);

  socket.write("abc");
  await expect.poll(() => textOf(socket)).toBe("abc");
  socket.write("def");
  await closed;

  expect(textOf(socket)).toBe("abc");
  expect(proxy.cuts).toBe(1);
});

test("flips one bit once", async () => {
  proxy.set({ corruptAt: { direction: "up", byte: 1 } });
  const socket = await dial();

  socket.write("abab");
  await expect.poll(() => textOf(socket)).toBe("acab");
  socket.write("abab");

  await expect.poll(() => textOf(socket)).toBe("acababab");
  expect(proxy.corrupted).toBe(1);
  socket.destroy();
});

test("slices and trickles", async () => {
  proxy.set({ sliceBytes: 2, bytesPerSecond: 100 });
  const socket = await dial();
  const startedMs = performance.now();

  socket.write("abcdef");
  await expect.poll(() => textOf(socket)).toBe("abcdef");

  // Six bytes at a hundred a second, up and down at the same time.
  expect(performance.now() - startedMs).toBeGreaterThan(50);
  expect(Math.max(...socket.heard.map((chunk) => chunk.length))).toBeLessThanOrEqual(2);
  socket.destroy();
});

test("refuses and resets", async () => {
  const standing = await dial();
  const closed = closeOf(standing);
  proxy.resetAll();
  await closed;

  proxy.set({ refuse: true });
  const refused = connect(proxy.port, "127.0.0.1").on("error", () => undefined);
  await closeOf(refused);

  expect(proxy.cuts).toBe(1);
});

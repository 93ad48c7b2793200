/**
 * A network namespace joined to this machine by a pair of virtual interfaces: a process in it
 * reaches nothing but the far end, and loses even that when the link goes down. Needs root and ip.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface Namespace {
  /** This machine, as seen from inside; proxies for it listen here. */
  readonly hostAddress: string;
  /** A process inside, as seen from this machine. */
  readonly ownAddress: string;
  /** What a command is prefixed with to run inside. */
  readonly prefix: readonly string[];
  linkDown(): Promise<void>;
  linkUp(): Promise<void>;
  /** Processes inside still hear and cannot send. */
  mute(): Promise<void>;
  unmute(): Promise<void>;
  remove(): Promise<void>;
}

const run = promisify(execFile);
let count = 0;

/** Whether this process may make one. */
export async function canMakeNamespaces(): Promise<boolean> {
  const name = `zfarm-try-${process.pid}`;
  try {
    await run("ip", ["netns", "add", name]);
    await run("ip", ["netns", "delete", name]);
    return true;
  } catch {
    return false;
  }
}

export async function createNamespace(): Promise<Namespace> {
  count += 1;
  // Interface names have 15 characters at most; processes beside this one have other ids.
  const id = `${process.pid % 100_000}${count}`;
  const [name, outside, inside] = [`zfarm-${id}`, `zo${id}`, `zi${id}`];
  const subnet = `10.${200 + (process.pid % 50)}.${(Math.floor(process.pid / 50) + count) % 250}`;
  const [hostAddress, ownAddress] = [`${subnet}.1`, `${subnet}.2`];
  const ip = (...words: string[]) => run("ip", words);
  const within = (...words: string[]) => run("ip", ["-n", name, ...words]);
  await ip("netns", "add", name);
  try {
    await ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
    await ip("address", "add", `${hostAddress}/30`, "dev", outside);
    await ip("link", "set", outside, "up");
    await within("address", "add", `${ownAddress}/30`, "dev", inside);
    await within("link", "set", inside, "up");
    await within("link", "set", "lo", "up");
  } catch (error) {
    await ip("netns", "delete", name);
    throw error;
  }
  return {
    hostAddress,
    ownAddress,
    prefix: ["ip", "netns", "exec", name],
    linkDown: async () => void (await ip("link", "set", outside, "down")),
    linkUp: async () => void (await ip("link", "set", outside, "up")),
    mute: async () => void (await within("route", "add", "blackhole", `${hostAddress}/32`)),
    unmute: async () => void (await within("route", "delete", "blackhole", `${hostAddress}/32`)),
    remove: async () => void (await ip("netns", "delete", name)),
  };
}

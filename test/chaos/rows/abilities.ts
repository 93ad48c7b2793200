/** What this machine can do to a farm. What it cannot is skipped, and said so. */
import { execFile } from "node:child_process";
import { access, mkdir, rmdir } from "node:fs/promises";
import { promisify } from "node:util";
import { hasMinioForTests } from "@zfarm/testing";
import { canMakeNamespaces } from "../net/namespace.ts";
import { memoryGroups } from "./memory-group.ts";
import type { Need } from "./row.ts";

export const faketimeLibraries = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

const how: Record<Need, string> = {
  minio: "no MinIO: run `node tools/servers/minio.mjs --fetch`",
  namespaces: "network namespaces need root and the command ip",
  mounts: "a small file system needs root and mount",
  cgroups: "a memory limit needs root and the memory controller of cgroup v1",
  faketime: "no libfaketime (Debian: apt-get install faketime)",
};

const probes: Record<Need, () => Promise<boolean>> = {
  minio: hasMinioForTests,
  namespaces: canMakeNamespaces,
  mounts: canMount,
  cgroups: canLimitMemory,
  faketime: async () => (await findFaketime()) !== undefined,
};

const known = new Map<Need, Promise<boolean>>();

/** Why something cannot be done here; empty where it can. */
export async function missing(needs: readonly Need[]): Promise<string> {
  const reasons: string[] = [];
  for (const need of needs) {
    const probing = known.get(need) ?? probes[need]();
    known.set(need, probing);
    if (!(await probing)) reasons.push(how[need]);
  }
  return reasons.join("; ");
}

export async function findFaketime(): Promise<string | undefined> {
  for (const path of faketimeLibraries) if (await isThere(path)) return path;
  return undefined;
}

async function canMount(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  return await promisify(execFile)("mount", ["--version"]).then(
    () => true,
    () => false,
  );
}

async function canLimitMemory(): Promise<boolean> {
  const folder = `${memoryGroups}/zfarm-try-${process.pid}`;
  if (!(await isThere(`${memoryGroups}/memory.limit_in_bytes`))) return false;
  try {
    await mkdir(folder);
    await rmdir(folder);
    return true;
  } catch {
    return false;
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

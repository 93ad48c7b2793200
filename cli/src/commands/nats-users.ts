/**
 * `zfarm nats-users`: keys for the services of a farm, and what each of them may do on its broker,
 * as the configuration of a NATS server takes it. Keys that are there already are kept, so that
 * it can be repeated for another pool, more shards, or a later version.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type BrokerUser,
  createUserSeed,
  isUserSeed,
  type ServerUser,
  serverUser,
} from "@zfarm/broker";
import { limits, nameRule, type PoolId, parsePoolId } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { parseWhole } from "../parse-whole.ts";
import { UsageError } from "../usage-error.ts";

export async function runNatsUsers({ args, terminal }: CommandContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: "string", default: "nats-users" },
      pool: { type: "string", multiple: true, default: ["default"] },
      shards: { type: "string", default: "1" },
    },
  });
  const shards = parseWhole("--shards", values.shards, [1, limits.shardsMax]) ?? 1;
  const users = usersOf(values.pool.map(parsePool));
  const folder = join(values.out, "keys");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const served: ServerUser[] = [];
  for (const user of users) {
    served.push(serverUser(user, await keepSeed(join(folder, fileOf(user))), shards));
  }
  const path = join(values.out, "users.json");
  await writeFile(path, `${JSON.stringify(served, undefined, 2)}\n`);
  terminal.print(folder);
  terminal.print(path);
}

function usersOf(pools: readonly PoolId[]): BrokerUser[] {
  const workers = pools.map((pool) => ({ role: "worker", pool }) as const);
  return [{ role: "gateway" }, { role: "scheduler" }, { role: "bootstrap" }, ...workers];
}

function fileOf(user: BrokerUser): string {
  return user.role === "worker" ? `worker-${user.pool}.creds` : `${user.role}.creds`;
}

/** The seed in the file; a new one where there is none. */
async function keepSeed(path: string): Promise<string> {
  try {
    await writeFile(path, `${createUserSeed()}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const seed = (await readFile(path, "utf8")).trim();
  if (!isUserSeed(seed)) throw new UsageError(`${path} holds no seed of a user's nkey`);
  return seed;
}

function parsePool(text: string): PoolId {
  const pool = parsePoolId(text);
  if (pool === undefined) throw new UsageError(`--pool must be ${nameRule}, got "${text}"`);
  return pool;
}

/** `zfarm pool list|get|set`: what pools can do, how they are used, how many workers they get. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient, type PoolConductChange } from "@zfarm/client";
import { limits, nameRule, parsePoolId, poolName, type ScalingWish } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { jsonLine } from "../json-text.ts";
import { describeConduct, describePools } from "../pool-text.ts";
import { UsageError } from "../usage-error.ts";

const changeOptions = {
  "speculate-after": { type: "string" },
  min: { type: "string" },
  max: { type: "string" },
  paused: { type: "string" },
} as const;

type RawChange = { readonly [Name in keyof typeof changeOptions]?: string | undefined };

export async function runPool(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: {
      address: { type: "string" },
      json: { type: "boolean", default: false },
      ...changeOptions,
    },
    allowPositionals: true,
  });
  const [verb = "", id = "", ...more] = positionals;
  const isList = verb === "list";
  if (!["list", "get", "set"].includes(verb) || isList !== (id === "") || more.length > 0) {
    throw new UsageError("pool takes list, or a verb and a name: zfarm pool get|set NAME");
  }
  const isChange = Object.keys(changeOptions).some((option) => option in values);
  if (isChange !== (verb === "set")) {
    const options = Object.keys(changeOptions).map((option) => `--${option}`);
    throw new UsageError(`pool set, and only it, takes at least one of ${options.join(", ")}`);
  }
  const change = parseChange(values);
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    const lines = isList
      ? await listPools(client, values.json)
      : [await tellPool(client, parseName(id), isChange ? change : undefined)];
    for (const line of lines) context.terminal.print(line);
  } finally {
    client.close();
  }
}

/** `zfarm pools`: the same as `zfarm pool list`. */
export async function runPools(context: CommandContext): Promise<void> {
  await runPool({ ...context, args: ["list", ...context.args] });
}

async function listPools(client: FarmClient, isJson: boolean): Promise<string[]> {
  const pools = await client.listPools();
  return isJson ? pools.map(jsonLine) : describePools(pools);
}

interface Change {
  readonly speculateAfter?: number;
  /** Undefined for a bound that is to go; absent for one that stays. */
  readonly scaling?: Partial<ScalingWish>;
}

/** The conduct, after the change where there is one: what it leaves out stays as it is. */
async function tellPool(
  client: FarmClient,
  name: string,
  change: Change | undefined,
): Promise<string> {
  const standing = await client.getPoolPolicy(name);
  if (change === undefined) return describeConduct(standing);
  const { speculateAfter, scaling } = change;
  const wanted: PoolConductChange = {
    name,
    ...(speculateAfter === undefined ? {} : { speculateAfter }),
    ...(scaling === undefined
      ? {}
      : { scaling: tidyWish({ paused: false, ...standing.scaling, ...scaling }) }),
  };
  // Whoever changed it meanwhile must not be overruled unseen.
  return describeConduct(await client.updatePoolPolicy(wanted, { etag: standing.etag ?? "" }));
}

/** A wish that says nothing is none. */
function tidyWish(wish: ScalingWish): ScalingWish | undefined {
  const { workersMin, workersMax, paused } = wish;
  return workersMin === undefined && workersMax === undefined && !paused ? undefined : wish;
}

function parseName(id: string): string {
  const pool = parsePoolId(id.replace(/^pools\//, ""));
  if (pool !== undefined) return poolName(pool);
  throw new UsageError(`pool ${id}: must be ${nameRule}`);
}

function parseChange(raw: RawChange): Change {
  const speculateAfter = parseFactor(raw["speculate-after"]);
  const scaling: Partial<ScalingWish> = {
    ...(raw.min === undefined ? {} : { workersMin: parseBound("--min", raw.min) }),
    ...(raw.max === undefined ? {} : { workersMax: parseBound("--max", raw.max) }),
    ...(raw.paused === undefined ? {} : { paused: parsePaused(raw.paused) }),
  };
  return {
    ...(speculateAfter === undefined ? {} : { speculateAfter }),
    ...(Object.keys(scaling).length === 0 ? {} : { scaling }),
  };
}

function parseFactor(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === "off") return 0;
  const { speculateAfterMin: min, speculateAfterMax: max } = limits;
  const factor = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (factor >= min && factor <= max) return factor;
  throw new UsageError(`--speculate-after ${text}: must be off, or from ${min} to ${max}`);
}

/** Undefined: as the autoscaler's file says. */
function parseBound(option: string, text: string): number | undefined {
  if (text === "auto") return undefined;
  const workers = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (workers <= limits.workersMax) return workers;
  throw new UsageError(`${option} ${text}: must be auto, or from 0 to ${limits.workersMax}`);
}

function parsePaused(text: string): boolean {
  if (text === "yes" || text === "no") return text === "yes";
  throw new UsageError(`--paused ${text}: must be yes or no`);
}

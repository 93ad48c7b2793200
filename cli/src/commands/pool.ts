/** `zfarm pool get|set NAME`: how the workers of a pool are used. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { limits, nameRule, type PoolConduct, parsePoolId, poolName } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { UsageError } from "../usage-error.ts";

export async function runPool(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: { address: { type: "string" }, "speculate-after": { type: "string" } },
    allowPositionals: true,
  });
  const [verb = "", id = "", ...more] = positionals;
  if (!["get", "set"].includes(verb) || id === "" || more.length > 0) {
    throw new UsageError("pool takes a verb and a name: zfarm pool get|set NAME");
  }
  const name = parseName(id);
  const speculateAfter = parseFactor(values["speculate-after"]);
  if ((speculateAfter !== undefined) !== (verb === "set")) {
    throw new UsageError("pool set, and only it, takes --speculate-after");
  }
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    const conduct =
      speculateAfter === undefined
        ? await client.getPoolPolicy(name)
        : await client.updatePoolPolicy({ name, speculateAfter });
    context.terminal.print(describeConduct(conduct));
  } finally {
    client.close();
  }
}

function parseName(id: string): string {
  const pool = parsePoolId(id.replace(/^pools\//, ""));
  if (pool !== undefined) return poolName(pool);
  throw new UsageError(`pool ${id}: must be ${nameRule}`);
}

function parseFactor(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === "off") return 0;
  const { speculateAfterMin: min, speculateAfterMax: max } = limits;
  const factor = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (factor >= min && factor <= max) return factor;
  throw new UsageError(`--speculate-after ${text}: must be off, or from ${min} to ${max}`);
}

function describeConduct({ name, draining, speculateAfter }: PoolConduct): string {
  const factor = Number(speculateAfter.toFixed(3));
  const speculation =
    factor === 0
      ? "tries no task twice at once"
      : `tries a task that takes ${factor} times longer than expected a second time`;
  return `${name}: ${draining ? "drains, " : ""}${speculation}`;
}

/** `zfarm workers`: who renders, and what each is doing. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { type Worker, WorkerState } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { formatTable } from "../terminal.ts";

const stateNames = new Map<number, string>(
  Object.entries(WorkerState).map(([name, value]) => [value, name.toLowerCase()]),
);

export async function runWorkers(context: CommandContext): Promise<void> {
  const { values } = parseArgs({
    args: [...context.args],
    options: { address: { type: "string" }, pool: { type: "string", default: "" } },
  });
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    const workers = await client.listWorkers({ pool: values.pool });
    const header = ["WORKER", "POOL", "STATE", "DEVICE", "MODEL", "RUNNING"];
    for (const line of formatTable([header, ...workers.map(toRow)])) context.terminal.print(line);
  } finally {
    client.close();
  }
}

function toRow(worker: Worker): string[] {
  return [
    worker.name.replace(/^workers\//, ""),
    worker.pool,
    stateNames.get(worker.state) ?? String(worker.state),
    worker.device,
    worker.model,
    `${worker.running}/${worker.slots}`,
  ];
}

/** `zfarm queue`: what waits and runs in the pools, why, and whose it is. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { limits, type PoolQueue, PriorityClass, waitReasonName } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { enumName, jsonLine } from "../json-text.ts";
import { parseWhole } from "../parse-whole.ts";
import { describeQueues } from "../queue-text.ts";
import { UsageError } from "../usage-error.ts";

export async function runQueue({ args, env, terminal }: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      address: { type: "string" },
      pool: { type: "string", default: "" },
      projects: { type: "string" },
      json: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (positionals.length > 0) throw new UsageError("queue takes no name; a pool is --pool P");
  const projectsMax = parseWhole("--projects", values.projects, [1, limits.queueProjectsMax]) ?? 0;
  const client = connectFarm({ address: await findAddress(values.address, env) });
  try {
    const queues = await client.getQueueStatistics({ pool: values.pool, projectsMax });
    const lines = values.json ? queues.map(toJson) : describeQueues(queues);
    for (const line of lines) terminal.print(line);
  } finally {
    client.close();
  }
}

function toJson(queue: PoolQueue): string {
  return jsonLine({
    ...queue,
    classes: queue.classes.map(({ priorityClass, ...counts }) => ({
      priorityClass: enumName(PriorityClass, priorityClass),
      ...counts,
    })),
    reasons: queue.reasons.map(({ reason, tasks }) => ({ reason: waitReasonName(reason), tasks })),
  });
}

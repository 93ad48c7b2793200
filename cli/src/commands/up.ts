/** `zfarm up`: a farm on this machine, in the foreground, until Ctrl-C drains it. */
import { parseArgs } from "node:util";
import { createLog, systemClock } from "@zfarm/runtime";
import type { CommandContext } from "../command.ts";
import { shippedModelDir, startLocalFarm } from "../farm/local-farm.ts";
import { parseWorkerCount } from "../farm/worker-count.ts";
import { createNoteWriter, defaultDataDir, defaultPort } from "../farm-note.ts";
import { untilAborted } from "../until-aborted.ts";
import { UsageError } from "../usage-error.ts";

export async function runUp(context: CommandContext): Promise<void> {
  const { values } = parseArgs({
    args: [...context.args],
    options: {
      workers: { type: "string", default: "1" },
      port: { type: "string", default: String(defaultPort) },
      data: { type: "string", default: defaultDataDir },
      model: { type: "string", default: shippedModelDir },
    },
  });
  const processes: Record<string, number> = {};
  const writeNote = createNoteWriter(values.data, (line) => context.terminal.note(line));
  let address: string | undefined;
  const update = (): void => {
    if (address !== undefined) void writeNote({ address, processes });
  };
  const farm = await startLocalFarm({
    ...parseWorkerCount("--workers", values.workers),
    port: parseBounded("--port", values.port, [0, 65_535]),
    dataDir: values.data,
    modelDir: values.model,
    env: context.env,
    clock: systemClock,
    log: createLog({ name: "zfarm", level: "warn" }),
    stop: context.stop,
    note: (line) => context.terminal.note(line),
    onStart: (name, pid) => {
      processes[name] = pid;
      update();
    },
    onGone: (name) => {
      delete processes[name];
      update();
    },
  });
  address = farm.address;
  await writeNote({ address, processes });
  context.terminal.print(`ready ${farm.address}`);
  await untilAborted(context.stop);
  context.terminal.note("draining");
  await farm.stop();
}

function parseBounded(option: string, text: string, [min, max]: readonly [number, number]): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} ${text}: must be a whole number from ${min} to ${max}`);
}

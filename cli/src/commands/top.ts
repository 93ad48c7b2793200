/** `zfarm top`: the farm as it is now, drawn again every second until q or Ctrl-C. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { systemClock } from "@zfarm/runtime";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { type FarmPicture, readPicture } from "../top/farm-picture.ts";
import { frame, type TopState } from "../top/frame.ts";
import { Screen } from "../top/screen.ts";
import { watchFarm } from "../top/watch-farm.ts";
import { UsageError } from "../usage-error.ts";

export async function runTop(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: { address: { type: "string" }, once: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (positionals.length > 0) throw new UsageError("top takes no name");
  const address = await findAddress(values.address, context.env);
  const client = connectFarm({ address });
  const read = (signal: AbortSignal): Promise<FarmPicture> =>
    readPicture(client, { address, nowMs: systemClock.now(), signal });
  try {
    if (values.once) {
      const picture = await read(context.stop);
      print(context, { address, nowMs: picture.readAt, picture, problem: undefined });
    } else if (process.stdout.isTTY) await drawUntilQuit(context, address, read);
    else await printFrames(context, address, read);
  } finally {
    client.close();
  }
}

type Read = (signal: AbortSignal) => Promise<FarmPicture>;

/** No bounds and no colours: what is not a terminal takes everything. */
function print({ terminal }: CommandContext, state: TopState): void {
  const everything = Number.MAX_SAFE_INTEGER;
  const size = { columns: everything, rows: everything, isColoured: false };
  for (const line of frame(state, size)) terminal.print(line);
}

async function printFrames(context: CommandContext, address: string, read: Read): Promise<void> {
  const show = (state: TopState): void => {
    print(context, state);
    context.terminal.print("");
  };
  await watchFarm({ address, clock: systemClock, read, show }, context.stop);
}

async function drawUntilQuit(context: CommandContext, address: string, read: Read): Promise<void> {
  const quit = new AbortController();
  const stop = AbortSignal.any([context.stop, quit.signal]);
  const isColoured = (context.env["NO_COLOR"] ?? "") === "";
  let newest: TopState = {
    address,
    nowMs: systemClock.now(),
    picture: undefined,
    problem: undefined,
  };
  const draw = (): void => screen.draw(frame(newest, { ...screen.size, isColoured }));
  const screen = new Screen(
    { output: process.stdout, input: process.stdin },
    { onResize: draw, onQuit: () => quit.abort() },
  );
  const show = (state: TopState): void => {
    newest = state;
    draw();
  };
  screen.open();
  try {
    draw();
    await watchFarm({ address, clock: systemClock, read, show }, stop);
  } finally {
    screen.close();
  }
}

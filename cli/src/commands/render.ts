/** `zfarm render`: pictures from a running farm. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { parseRenderOptions, renderOptionTable } from "../render-options.ts";
import { renderPictures } from "../render-pictures.ts";
import { competingOptionTable, parseScheduling } from "../scheduling-options.ts";
import { UsageError } from "../usage-error.ts";

export async function runRender(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: { ...renderOptionTable, ...competingOptionTable, address: { type: "string" } },
    allowPositionals: true,
  });
  const [prompt, ...more] = positionals;
  if (prompt === undefined || more.length > 0) {
    throw new UsageError('render takes one prompt, in quotes: zfarm render "a red house"');
  }
  const scheduling = parseScheduling(values, Date.now());
  const isSaid = Object.keys(scheduling).length > 0;
  const options = { ...parseRenderOptions(prompt, values), ...(isSaid ? { scheduling } : {}) };
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await renderPictures(options, { client, terminal: context.terminal, stop: context.stop });
  } finally {
    client.close();
  }
}

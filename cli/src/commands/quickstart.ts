/** `npm run quickstart`: a whole farm for one command, from nothing to a picture and back. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { createLog, systemClock } from "@zfarm/runtime";
import type { CommandContext } from "../command.ts";
import { shippedModelDir, startLocalFarm } from "../farm/local-farm.ts";
import { parseRenderOptions, renderOptionTable } from "../render-options.ts";
import { renderPictures } from "../render-pictures.ts";
import { UsageError } from "../usage-error.ts";

/** Shows what the shipped model draws best. */
const defaultPrompt = "a yellow sailboat on the left on a lake at sunset with mountains";

export async function runQuickstart(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: renderOptionTable,
    allowPositionals: true,
  });
  const [prompt = defaultPrompt, ...more] = positionals;
  if (more.length > 0) throw new UsageError("quickstart takes one prompt, in quotes");
  const options = parseRenderOptions(prompt, values);

  const dataDir = await mkdtemp(join(tmpdir(), "zfarm-"));
  const note = (line: string): void => context.terminal.note(line);
  try {
    const farm = await startLocalFarm({
      workers: 1,
      port: 0,
      dataDir,
      modelDir: shippedModelDir,
      env: context.env,
      clock: systemClock,
      log: createLog({ name: "zfarm", level: "error" }),
      stop: context.stop,
      note,
    });
    note(`farm ready at ${farm.address}, prompt: ${options.prompt}`);
    const client = connectFarm({ address: farm.address });
    try {
      await renderPictures(options, { client, terminal: context.terminal, stop: context.stop });
    } finally {
      client.close();
      await farm.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/**
 * The note that `zfarm up` keeps in its data folder: where the farm answers, and which processes
 * it consists of. The other commands read the address from it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "@zfarm/runtime";

export const defaultDataDir = ".zfarm";
export const defaultPort = 7070;

const noteFile = "farm.json";

export interface FarmNote {
  /** HOST:PORT of the gateway. */
  readonly address: string;
  /** Name to process id. */
  readonly processes: Readonly<Record<string, number>>;
}

export async function writeFarmNote(dataDir: string, note: FarmNote): Promise<void> {
  await writeFile(join(dataDir, noteFile), `${JSON.stringify(note, undefined, 2)}\n`);
}

/** The address to call: the option, ZFARM_ADDRESS, a farm started in this folder, the default. */
export async function findAddress(option: string | undefined, env: Env): Promise<string> {
  const said = option ?? env["ZFARM_ADDRESS"];
  if (said !== undefined && said !== "") return said;
  const text = await readFile(join(defaultDataDir, noteFile), "utf8").catch(() => undefined);
  if (text === undefined) return `127.0.0.1:${defaultPort}`;
  const note = JSON.parse(text) as FarmNote;
  return note.address;
}

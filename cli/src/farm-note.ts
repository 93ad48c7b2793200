/**
 * The note that `zfarm up` keeps in its data folder: where the farm answers, and which processes
 * it consists of. The other commands read the address from it.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
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

/**
 * Writes the notes of a farm one after another: processes that die together start together. A note
 * that cannot be written is told, and is no reason to stop the farm.
 */
export function createNoteWriter(
  dataDir: string,
  tell: (line: string) => void,
): (note: FarmNote) => Promise<void> {
  const file = join(dataDir, noteFile);
  let written: Promise<void> = Promise.resolve();
  return (note) => {
    const text = `${JSON.stringify(note, undefined, 2)}\n`;
    written = written
      .then(() => replaceFile(file, text))
      .catch((error: unknown) => tell(`${file} is not up to date: ${String(error)}`));
    return written;
  };
}

/** Whoever reads meanwhile finds the file before or this one, whole. */
async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
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

/**
 * What a preparation has done so far, one line per piece, so that a run that was killed goes on
 * where it was. Lines are claims: the pieces' bytes are compared with them before they count.
 */
import { appendFile, readFile, writeFile } from "node:fs/promises";

export interface Journal {
  /** SHA-256 of what an earlier run wrote, by piece. */
  readonly written: ReadonlyMap<number, string>;
  add(index: number, sha256: string): Promise<void>;
}

/**
 * Opens the journal at `path` if it belongs to `plan`, else begins a new one.
 *
 * @param plan identifies source, mode and layout; with another one nothing can be reused.
 */
export async function openJournal(path: string, plan: string): Promise<Journal> {
  const text = await readFile(path, "utf8").catch(() => "");
  const [first, ...lines] = text.split("\n");
  const written = new Map(first === plan ? lines.flatMap(parseLine) : []);
  const kept = [...written].map(([index, sha256]) => formatLine(index, sha256));
  // Written anew, because the next line must not be appended to one that was cut off.
  await writeFile(path, [`${plan}\n`, ...kept].join(""));
  return { written, add: (index, sha256) => appendFile(path, formatLine(index, sha256)) };
}

function formatLine(index: number, sha256: string): string {
  return `${index} ${sha256}\n`;
}

/** The last line of a killed run may be cut off: it is then not there. */
function parseLine(line: string): [number, string][] {
  const [, index, sha256] = /^(\d{1,9}) ([0-9a-f]{64})$/.exec(line) ?? [];
  return index === undefined || sha256 === undefined ? [] : [[Number(index), sha256]];
}

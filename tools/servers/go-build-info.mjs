/** What Go writes into every program about its sources, for those that print no version. */
import { createReadStream } from "node:fs";

const chunkBytes = 4 * 1024 * 1024;
/** Longer than a line of it. */
const overlapChars = 1024;

/**
 * The release of a module that a program holds, without its `v`.
 * @param {string} path Of the program.
 * @param {string} module
 * @returns {Promise<string | undefined>} undefined where it holds none, and for no program at all.
 */
export async function readModuleVersion(path, module) {
  const before = `\t${module}\tv`;
  let text = "";
  try {
    // One character for each byte: only ASCII is looked for.
    const chunks = createReadStream(path, { encoding: "latin1", highWaterMark: chunkBytes });
    for await (const chunk of chunks) {
      text = text.slice(-overlapChars) + chunk;
      const start = text.indexOf(before);
      const version =
        start < 0 ? undefined : /^[\d.]+(?=\t)/.exec(text.slice(start + before.length));
      if (version) return version[0];
    }
  } catch {
    // Nothing to read is no program.
  }
  return undefined;
}

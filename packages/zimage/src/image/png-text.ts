/** Writes and reads the international text chunks of a PNG (PNG 1.2, section 4.2.3.3). */
import { crc32 } from "node:zlib";
import { invariant } from "../invariant.ts";

const signatureBytes = 8;
/** Length and type before a chunk's data, checksum after it. */
const headBytes = 8;
const checksumBytes = 4;
/** A reader stops here; our own files have fewer than ten. */
const chunksMax = 4_096;

export type PngTexts = ReadonlyMap<string, string>;

/** Inserts one iTXt chunk per entry behind the header; keys are Latin, values any Unicode. */
export function insertTexts(png: Uint8Array, texts: PngTexts): Uint8Array {
  const afterHeader = signatureBytes + headBytes + 13 + checksumBytes;
  invariant(png.length > afterHeader, "a PNG has a header");
  const chunks = [...texts].map(([key, text]) => createTextChunk(key, text));
  const parts = [png.subarray(0, afterHeader), ...chunks, png.subarray(afterHeader)];
  return new Uint8Array(Buffer.concat(parts));
}

function createTextChunk(key: string, text: string): Buffer {
  // Keyword, no compression, no language, no translated keyword, then the text itself.
  const data = Buffer.from(`iTXt${key}\0\0\0\0\0${text}`, "utf8");
  const chunk = Buffer.alloc(4 + data.length + checksumBytes);
  chunk.writeUInt32BE(data.length - 4, 0);
  data.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(data), 4 + data.length);
  return chunk;
}

/** Key and text of every uncompressed iTXt chunk; stops quietly where the file makes no sense. */
export function readTexts(png: Uint8Array): PngTexts {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  const texts = new Map<string, string>();
  let at = signatureBytes;
  for (let chunk = 0; chunk < chunksMax && at + headBytes <= bytes.length; chunk += 1) {
    const end = at + headBytes + bytes.readUInt32BE(at);
    if (end + checksumBytes > bytes.length) break;
    const entry = readTextChunk(bytes.subarray(at + 4, end));
    if (entry !== undefined && bytes.readUInt32BE(end) === crc32(bytes.subarray(at + 4, end))) {
      texts.set(...entry);
    }
    at = end + checksumBytes;
  }
  return texts;
}

/** @param chunk type and data. */
function readTextChunk(chunk: Buffer): [key: string, text: string] | undefined {
  if (chunk.toString("latin1", 0, 4) !== "iTXt") return undefined;
  const keyEnd = chunk.indexOf(0, 4);
  const languageEnd = chunk.indexOf(0, keyEnd + 3);
  const translatedEnd = chunk.indexOf(0, languageEnd + 1);
  if (keyEnd < 0 || languageEnd < 0 || translatedEnd < 0 || chunk[keyEnd + 1] !== 0)
    return undefined;
  return [chunk.toString("latin1", 4, keyEnd), chunk.toString("utf8", translatedEnd + 1)];
}

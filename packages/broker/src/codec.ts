/** Messages to bytes and back; what is too large or cannot be read is refused here. */
import { FarmError, limits, MessageReader } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import type { LogMessage } from "./ports.ts";

/** What ts-proto generates for a message, as far as it is used here. */
export interface Codec<Message> {
  encode(message: Message, writer?: Writer): Writer;
  decode(reader: MessageReader): Message;
}

interface Writer {
  /** A copy of what was written; the writer begins anew, in the room that it has. */
  finish(): Uint8Array;
}

/** Headers count against the broker's payload limit; ours are a few short numbers. */
const headerBytesMax = 1_024;
const bodyBytesMax = limits.messageBytesMax - headerBytesMax;

/** The last one's: growing a new one step by step takes as long as writing the message. */
let spare: Writer | undefined;

/** TOO_LARGE where the message does not fit the broker's payload. */
export function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  const writer = spare;
  // One that failed half-way is not used again.
  spare = undefined;
  const written = codec.encode(message, writer);
  const bytes = written.finish();
  spare = written;
  if (bytes.length <= bodyBytesMax) return bytes;
  throw new FarmError(
    "TOO_LARGE",
    `message has ${bytes.length} bytes, at most ${bodyBytesMax} fit`,
  );
}

/** STATE_LOST where a stored message cannot be read: going on would lose it silently. */
export function decodeStored<Message>(codec: Codec<Message>, stored: LogMessage): Message {
  try {
    return codec.decode(new MessageReader(stored.bytes));
  } catch (cause) {
    const what = `${stored.subject} at revision ${stored.revision}`;
    throw new FarmError("STATE_LOST", `message ${what} cannot be decoded`, { cause });
  }
}

/** Undefined, and a line in the log, where a passing message cannot be read: it may be anyone's. */
export function decodePassing<Message>(
  codec: Codec<Message>,
  message: { readonly subject: string; readonly bytes: Uint8Array },
  log: Log,
): Message | undefined {
  try {
    return codec.decode(new MessageReader(message.bytes));
  } catch (error) {
    log.warn({ error, subject: message.subject }, "message that cannot be decoded dropped");
    return undefined;
  }
}

/** INTERNAL where the leader's answer cannot be read. */
export function decodeAnswer<Message>(codec: Codec<Message>, bytes: Uint8Array): Message {
  try {
    return codec.decode(new MessageReader(bytes));
  } catch (cause) {
    throw new FarmError("INTERNAL", "the leader's answer cannot be decoded", { cause });
  }
}

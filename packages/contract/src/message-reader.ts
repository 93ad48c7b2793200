/** Reads protobuf messages whose texts are short, as nearly all of ours are. */
import { BinaryReader } from "@bufbuild/protobuf/wire";

/**
 * For `decode` of a generated message. The library's own reader makes an array of each short text's
 * characters first; an outcome has a dozen of them, and each is read by a leader and a gateway.
 */
export class MessageReader extends BinaryReader {
  readonly #buffer: Buffer;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** As the library reads it: what is no UTF-8 becomes U+FFFD. RangeError behind the last byte. */
  override string(): string {
    const length = this.uint32();
    const start = this.pos;
    this.pos += length;
    if (this.pos > this.len) throw new RangeError("premature EOF");
    return this.#buffer.toString("utf8", start, this.pos);
  }
}

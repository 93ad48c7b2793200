/** Text that is refused: empty, too long, or with characters that hide or break something. */
import { type BadRequest, badPicture, createBytes, invalid, methods, secret } from "./row.ts";

/** `expected` is the reason and, after "; ", what the text must name. */
const prompt = (name: string, text: string, expected: string): BadRequest => {
  const [reason = "", tells = ""] = expected.split("; ");
  return badPicture(name, { prompt: text }, { field: "prompt", reason, tells });
};

const control = (code: number): BadRequest =>
  prompt(
    `control character ${code.toString(16)}`,
    `${secret}${String.fromCodePoint(code)}x`,
    "CONTROL_CHARACTER; tab (U+0009) and newline",
  );

const bidi = (code: number): BadRequest =>
  prompt(
    `bidirectional control ${code.toString(16)}`,
    `${secret}${String.fromCodePoint(code)}x`,
    "BIDI_CONTROL; U+202A to U+202E",
  );

const displayName = (name: string, text: string, reason: string): BadRequest => ({
  name: `display name ${name}`,
  method: methods.create,
  bytes: createBytes({ displayName: text }),
  ...invalid([`display_name ${reason}`]),
});

export const textRows: readonly BadRequest[] = [
  prompt("empty prompt", "", "REQUIRED"),
  prompt("spaces only", "     ", "BLANK"),
  prompt("tabs and newlines only", "\t\n\t", "BLANK"),
  prompt("zero-width spaces only", "\u200B".repeat(100), "BLANK"),
  prompt("joiners only", "\u200D".repeat(3), "BLANK"),
  prompt("8,193 bytes", "\u{1F431}".repeat(2_048) + "x", "TOO_LONG; 8192"),
  prompt("2,001 code points", secret + "x".repeat(2_001 - secret.length), "TOO_LONG; 2000"),
  prompt("2,001 code points after NFC", "e\u0301".repeat(2_001), "TOO_LONG; 2000"),
  ...[0x00, 0x01, 0x07, 0x08, 0x0b, 0x0c, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9b].map(control),
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069].map(bidi),
  prompt("byte order mark first", `\uFEFF${secret}`, "BYTE_ORDER_MARK; U+FEFF"),
  prompt("U+FFFE", `${secret}\uFFFE`, "NONCHARACTER"),
  prompt("U+FFFF", `${secret}\uFFFF`, "NONCHARACTER"),
  prompt("U+FDD0", `${secret}\uFDD0`, "NONCHARACTER"),
  prompt("U+10FFFF", `${secret}\u{10FFFF}`, "NONCHARACTER"),
  prompt("tag characters", `${secret}\u{E0073}\u{E007F}`, "TAG_CHARACTER; U+E0000"),
  prompt("a replacement character", `${secret}\uFFFD`, "INVALID_UTF8; U+FFFD"),
  displayName("of 129 characters", "x".repeat(129), "TOO_LONG"),
  displayName("of 100,000 characters", secret.repeat(6_000), "TOO_LONG"),
  displayName("of two lines", `${secret}\nx`, "CONTROL_CHARACTER"),
  displayName("with a bidirectional control", `${secret}\u202E`, "BIDI_CONTROL"),
];

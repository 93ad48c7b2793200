/**
 * Decides which text the farm accepts. Length is measured after NFC, so that two spellings of one
 * text are treated alike, but text is stored as it came: the model sees what the client wrote.
 */
import { limits } from "@zfarm/contract";
import type { Fault, ViolationReason } from "./violations.ts";

interface CharacterRule {
  readonly reason: ViolationReason;
  readonly pattern: RegExp;
  readonly description: string;
}

/** Every pattern is one character class: linear, whatever the text. */
const characterRules: readonly CharacterRule[] = [
  {
    // Decoding puts U+FFFD where bytes were not UTF-8; what it replaced is lost.
    reason: "INVALID_UTF8",
    pattern: /[\uFFFD\uD800-\uDFFF]/u,
    description: "holds U+FFFD or a lone surrogate: text that was not UTF-8",
  },
  {
    reason: "BYTE_ORDER_MARK",
    pattern: /\uFEFF/u,
    description: "holds a byte order mark (U+FEFF)",
  },
  {
    // They reorder what a reader of logs and consoles sees.
    reason: "BIDI_CONTROL",
    pattern: /[\u202A-\u202E\u2066-\u2069]/u,
    description: "holds a bidirectional control (U+202A to U+202E, U+2066 to U+2069)",
  },
  {
    // Invisible letters: a prompt must not say what its reader cannot see.
    reason: "TAG_CHARACTER",
    pattern: /[\u{E0000}-\u{E007F}]/u,
    description: "holds a tag character (U+E0000 to U+E007F)",
  },
  {
    reason: "NONCHARACTER",
    pattern: /\p{Noncharacter_Code_Point}/u,
    description: "holds a code point that is not a character, such as U+FFFE",
  },
];

const promptControls: CharacterRule = {
  reason: "CONTROL_CHARACTER",
  // oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
  pattern: /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/u,
  description: "holds a control character other than tab (U+0009) and newline (U+000A)",
};

const lineControls: CharacterRule = {
  reason: "CONTROL_CHARACTER",
  // oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
  pattern: /[\u0000-\u001F\u007F-\u009F]/u,
  description: "holds a control character; it must be one line",
};

/** Something a reader can see: a letter, digit, punctuation mark or symbol. */
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** What no rule below can find fault with but for its length: most prompts are this. */
const plain = /^ *[!-~][ -~]*$/;

/** What is wrong with a prompt, or undefined. */
export function checkPrompt(text: string): Fault | undefined {
  if (text === "") return { reason: "REQUIRED", description: "must not be empty" };
  if (text.length <= limits.promptCodePointsMax && plain.test(text)) return undefined;
  // Bytes come first: they bound the work of everything after.
  const bytes = utf8Bytes(text);
  if (bytes > limits.promptBytesMax) {
    const bound = `at most ${limits.promptBytesMax} are allowed`;
    return { reason: "TOO_LONG", description: `is ${bytes} bytes of UTF-8; ${bound}` };
  }
  return (
    checkCharacters(text, promptControls) ??
    checkCodePoints(text, limits.promptCodePointsMax) ??
    (visible.test(text)
      ? undefined
      : { reason: "BLANK", description: "holds nothing but space and invisible characters" })
  );
}

/** What is wrong with a display name, or undefined; an empty one is fine. */
export function checkDisplayName(text: string): Fault | undefined {
  return checkLine(text, limits.displayNameCharsMax);
}

/** What is wrong with a text that must be one line of so many characters, or undefined. */
export function checkLine(text: string, max: number): Fault | undefined {
  // A code point is at most two units, so what is longer needs no counting.
  if (text.length > max * 2) {
    return { reason: "TOO_LONG", description: `is longer than ${max} characters` };
  }
  return checkCharacters(text, lineControls) ?? checkCodePoints(text, max);
}

function checkCharacters(text: string, controls: CharacterRule): Fault | undefined {
  const broken = [...characterRules, controls].find((rule) => rule.pattern.test(text));
  return broken === undefined
    ? undefined
    : { reason: broken.reason, description: broken.description };
}

function checkCodePoints(text: string, max: number): Fault | undefined {
  const count = Array.from(text.normalize("NFC")).length;
  if (count <= max) return undefined;
  const description = `is ${count} characters after NFC; at most ${max} are allowed`;
  return { reason: "TOO_LONG", description };
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** A byte-level BPE tokenizer in Qwen2's format with a handful of merges. */

const chatTemplate =
  "{%- for message in messages %}" +
  "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}" +
  "{%- if enable_thinking is defined and enable_thinking is false %}" +
  "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

export const tinyTokenizerConfig = {
  tokenizer_class: "Qwen2Tokenizer",
  add_bos_token: false,
  chat_template: chatTemplate,
  eos_token: "<|im_end|>",
  unk_token: null,
};

/** Ids of the tokens that the template places. */
export const tinySpecials = { endOfText: 500, start: 501, end: 502 } as const;

/** `u s e r`, `a t` and the doubled line end are merged; `\u010a` is how a line end is spelled. */
const merges = ["u s", "us e", "use r", "c a", "ca t", "\u010a \u010a"];

/** tokenizer.json: 256 bytes, the results of the merges, and three special tokens from 500 on. */
export function tinyTokenizer(): object {
  const merged = merges.map((merge) => merge.replace(" ", ""));
  const vocab = Object.fromEntries([...byteLetters(), ...merged].map((token, id) => [token, id]));
  return {
    version: "1.0",
    added_tokens: [
      special("<|endoftext|>", tinySpecials.endOfText),
      special("<|im_start|>", tinySpecials.start),
      special("<|im_end|>", tinySpecials.end),
    ],
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: splitPattern }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false },
    model: { type: "BPE", unk_token: null, byte_fallback: false, vocab, merges },
  };
}

/** Qwen2's split: contractions, words, single digits, punctuation, line ends, spaces. */
const splitPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

function special(content: string, id: number): object {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, ...flags, special: true };
}

/** GPT-2's printable letter for every byte: bytes that do not print come from U+0100 on. */
function byteLetters(): string[] {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    if (prints) return String.fromCodePoint(byte);
    unprintable += 1;
    return String.fromCodePoint(255 + unprintable);
  });
}

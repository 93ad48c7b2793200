/** The only importer of @huggingface/tokenizers: text to token ids, as the model's files say. */
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { ModelError } from "../errors.ts";
import { parseFile, readJson } from "../model/read-json.ts";

export interface SpecialToken {
  readonly content: string;
  readonly id: number;
}

export interface TextTokenizer {
  /** Tokens that stand for themselves, such as `<|im_start|>`; longest first. */
  readonly specials: readonly SpecialToken[];
  /** Ids of the text; a special token's spelling inside it is ordinary text. */
  encodePlain(text: string): number[];
}

const addedToken = z.looseObject({ content: z.string().min(1).max(256), id: z.int().min(0) });
const tokenizerFile = z.looseObject({
  added_tokens: z.array(addedToken).max(10_000),
  model: z.looseObject({ type: z.literal("BPE"), vocab: z.record(z.string(), z.int().min(0)) }),
});
const tokenizerConfigFile = z.looseObject({ add_bos_token: z.literal(false).nullish() });

/** Opens the tokenizer of a folder; MODEL_INVALID names file and field when it is not byte BPE. */
export async function openTokenizer(folder: string): Promise<TextTokenizer> {
  const file = join(folder, "tokenizer.json");
  const configFile = join(folder, "tokenizer_config.json");
  const parsed = parseFile(tokenizerFile, await readJson(file), file);
  const config = parseFile(tokenizerConfigFile, await readJson(configFile), configFile);
  const tokenizer = createPlain(parsed, config, file);
  const specials = parsed.added_tokens
    .map(({ content, id }) => ({ content, id }))
    .toSorted((a, b) => b.content.length - a.content.length);
  return { specials, encodePlain: (text) => encodePlain(tokenizer, text, file) };
}

/**
 * A tokenizer that has never heard of the special tokens: neither as added tokens nor as entries of
 * the vocabulary. The chat template's own ones are placed by id instead, so no text can forge them.
 */
function createPlain(
  parsed: z.output<typeof tokenizerFile>,
  config: z.output<typeof tokenizerConfigFile>,
  file: string,
): Tokenizer {
  const special = new Set(parsed.added_tokens.map((token) => token.content));
  const vocab = Object.fromEntries(
    Object.entries(parsed.model.vocab).filter(([token]) => !special.has(token)),
  );
  const plain = { ...parsed, added_tokens: [], model: { ...parsed.model, vocab } };
  try {
    return new Tokenizer(plain, config);
  } catch (cause) {
    const message = `${file} describes a tokenizer that cannot be built`;
    throw new ModelError("MODEL_INVALID", message, { file, cause });
  }
}

function encodePlain(tokenizer: Tokenizer, text: string, file: string): number[] {
  const { ids } = tokenizer.encode(text, { add_special_tokens: false });
  if (ids.every(Number.isInteger)) return ids;
  // Byte-level vocabularies cover every text; one without a byte is broken.
  throw new ModelError("MODEL_INVALID", `${file} has no token for a byte of the prompt`, { file });
}

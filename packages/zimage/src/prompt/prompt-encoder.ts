/** Turns a prompt into the token ids that the text encoder reads, and never into other people's. */
import { ModelError } from "../errors.ts";
import type { ChatText } from "./chat-template.ts";
import { openChatTemplate } from "./chat-template.ts";
import type { SpecialToken, TextTokenizer } from "./tokenizer.ts";
import { openTokenizer } from "./tokenizer.ts";

export interface PromptEncoder {
  /** Tokens of one prompt, the template included; at most this many are allowed. */
  readonly tokensMax: number;
  /** Tokens of the prompt with the chat template around it. */
  countTokens(prompt: string): number;
  /**
   * Ids of prompt and template; INPUT_INVALID instead of cutting a prompt that is too long, with
   * the field that it stands in, `prompt` when absent.
   */
  encode(prompt: string, field?: string): Int32Array;
}

/** Opens tokenizer and chat template of a model's tokenizer folder. */
export async function openPromptEncoder(folder: string, tokensMax: number): Promise<PromptEncoder> {
  const tokenizer = await openTokenizer(folder);
  const template = await openChatTemplate(folder);
  const idsOf = (prompt: string): number[] => encodeChat(tokenizer, template.apply(prompt));
  return {
    tokensMax,
    countTokens: (prompt) => idsOf(prompt).length,
    encode: (prompt, field = "prompt") => {
      const ids = idsOf(prompt);
      if (ids.length > tokensMax) {
        const message = `${field} has ${ids.length} tokens with its template; at most ${tokensMax}`;
        throw new ModelError("INPUT_INVALID", message, { field });
      }
      return Int32Array.from(ids);
    },
  };
}

type Piece = string | SpecialToken;

/**
 * The template's special tokens become ids; everything between two of them is tokenised as one
 * text, as the reference does, so that a prompt's first word merges with the line end before it.
 */
function encodeChat(tokenizer: TextTokenizer, chat: ChatText): number[] {
  const before = splitSpecials(chat.before, tokenizer.specials);
  const after = splitSpecials(chat.after, tokenizer.specials);
  const lead = takeText(before.pop());
  const tail = takeText(after.shift());
  const pieces: Piece[] = [...before, lead + chat.prompt + tail, ...after];
  return pieces.flatMap((piece) => {
    if (typeof piece !== "string") return [piece.id];
    return piece === "" ? [] : tokenizer.encodePlain(piece);
  });
}

/** Text and special tokens in turn, beginning and ending with a text, which may be empty. */
function splitSpecials(text: string, specials: readonly SpecialToken[]): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let at = 0;
  while (at < text.length) {
    const found = specials.find((special) => text.startsWith(special.content, at));
    if (found === undefined) {
      at += 1;
      continue;
    }
    pieces.push(text.slice(start, at), found);
    at += found.content.length;
    start = at;
  }
  return [...pieces, text.slice(start)];
}

function takeText(piece: Piece | undefined): string {
  return typeof piece === "string" ? piece : "";
}

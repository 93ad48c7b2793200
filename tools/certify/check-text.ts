/** Compares token ids and caption rows; gives our own captions on. */
import type { Caption, PromptEncoder, TextEncoder } from "@zfarm/zimage";
import { describeModel, openPromptEncoder, openTextEncoder } from "@zfarm/zimage";
import { equalBound } from "./bounds.ts";
import { textsOf } from "./cases.ts";
import type { Case, Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { compareBits, compareTensors } from "./compare.ts";
import type { Setting } from "./setting.ts";
import type { TensorFile } from "./tensor-file.ts";

export interface CheckedText {
  readonly lines: readonly Line[];
  /** By text; see `textsOf`. */
  readonly captions: ReadonlyMap<string, Caption>;
}

export async function checkText(
  setting: Setting,
  cases: readonly Case[],
  recorded: TensorFile,
): Promise<CheckedText> {
  const { model, options } = setting;
  const { tokensMax } = describeModel(model);
  const prompts = await openPromptEncoder(model.tokenizerFolder, tokensMax);
  const encoder = await openTextEncoder(
    model.textEncoder.config,
    model.textEncoder.tensors,
    options,
  );
  try {
    const lines: Line[] = [];
    const captions = new Map<string, Caption>();
    for (const one of cases.flatMap(textsOf)) {
      const { ids, caption } = await encode(one.prompt, prompts, encoder);
      captions.set(one.name, caption);
      const wanted = Int32Array.from(await recorded.get(`${one.name}.ids`));
      const rows = await recorded.get(`${one.name}.states`);
      const about = { mode: setting.mode, subject: one.name };
      const [tokens, text] = [compareBits(ids, wanted), compareTensors(caption.data, rows)];
      lines.push(
        judge({ ...about, part: "tokens", measured: tokens, bound: equalBound }),
        judge({ ...about, part: "text", measured: text, bound: setting.bounds.component }),
      );
    }
    return { lines, captions };
  } finally {
    await encoder.close();
  }
}

async function encode(prompt: string, prompts: PromptEncoder, encoder: TextEncoder) {
  const ids = prompts.encode(prompt);
  const [data = new Float32Array()] = await encoder.encode([ids]);
  const caption: Caption = { prompt, data, length: ids.length };
  return { ids, caption };
}

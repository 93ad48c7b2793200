/** The only importer of @huggingface/jinja: puts a prompt into the model's own chat template. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { z } from "zod";
import { ModelError } from "../errors.ts";
import { parseFile, readJson } from "../model/read-json.ts";

export interface ChatText {
  /** What the template puts before the prompt. */
  readonly before: string;
  readonly prompt: string;
  /** What the template puts after the prompt, the opening of the answer included. */
  readonly after: string;
}

export interface ChatTemplate {
  apply(prompt: string): ChatText;
}

const named = z.array(z.looseObject({ name: z.string(), template: z.string() }));
const configFile = z.looseObject({ chat_template: z.union([z.string(), named]).optional() });

/** Two letters that no template asks about, to find where the prompt goes. */
const probe = "zq";

/**
 * Opens `chat_template.jinja`, or else the template inside tokenizer_config.json, which is the
 * order of transformers. MODEL_INVALID names the file without a usable template.
 */
export async function openChatTemplate(folder: string): Promise<ChatTemplate> {
  const { text, file } = await readTemplate(folder);
  const template = compile(text, file);
  const render = (prompt: string): string => renderPrompt(template, prompt, file);
  const rendered = render(probe);
  const at = rendered.indexOf(probe);
  if (at < 0 || rendered.indexOf(probe, at + 1) >= 0) {
    const message = `${file}: field chat_template does not contain the prompt exactly once`;
    throw new ModelError("MODEL_INVALID", message, { file, field: "chat_template" });
  }
  const before = rendered.slice(0, at);
  const after = rendered.slice(at + probe.length);
  return { apply: (prompt) => splitRendered(render(prompt), { before, after }, file) };
}

/** A template may change the prompt, for example trim it; what it made of it is what counts. */
function splitRendered(
  rendered: string,
  around: Pick<ChatText, "before" | "after">,
  file: string,
): ChatText {
  const { before, after } = around;
  const end = rendered.length - after.length;
  if (end < before.length || !rendered.startsWith(before) || !rendered.endsWith(after)) {
    const message = `${file}: field chat_template depends on the prompt's text`;
    throw new ModelError("MODEL_INVALID", message, { file, field: "chat_template" });
  }
  return { before, prompt: rendered.slice(before.length, end), after };
}

/**
 * One message of the user and the opening of an answer. Thinking is left on as Z-Image does it:
 * switched off, Qwen3's template would add an empty block of thoughts.
 */
function renderPrompt(template: Template, prompt: string, file: string): string {
  try {
    return template.render({
      messages: [{ role: "user", content: prompt }],
      add_generation_prompt: true,
      enable_thinking: true,
    });
  } catch (cause) {
    const message = `${file}: field chat_template fails`;
    throw new ModelError("MODEL_INVALID", message, { file, field: "chat_template", cause });
  }
}

function compile(text: string, file: string): Template {
  try {
    return new Template(text);
  } catch (cause) {
    const message = `${file}: field chat_template is not a template`;
    throw new ModelError("MODEL_INVALID", message, { file, field: "chat_template", cause });
  }
}

async function readTemplate(folder: string): Promise<{ text: string; file: string }> {
  const own = join(folder, "chat_template.jinja");
  const text = await readFile(own, "utf8").catch(() => undefined);
  if (text !== undefined) return { text, file: own };
  const file = join(folder, "tokenizer_config.json");
  const field = parseFile(configFile, await readJson(file), file).chat_template;
  const found = Array.isArray(field)
    ? field.find((one) => one.name === "default")?.template
    : field;
  if (found !== undefined) return { text: found, file };
  const message = `${file}: field chat_template is missing`;
  throw new ModelError("MODEL_INVALID", message, { file, field: "chat_template" });
}

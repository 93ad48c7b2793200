/** Turns what went wrong inside the engine into the failure that the leader is told. */
import { describeFailure, type TaskFailure } from "@zfarm/contract";
import type { LoraFailure } from "./protocol.ts";

/** The task cannot be drawn by this model, whoever tries. */
export function failureOfInput(message: string): TaskFailure {
  return describeFailure("INVALID_REQUEST", message);
}

/** Where the model library finds a prompt with too many tokens. */
const promptFields: ReadonlySet<unknown> = new Set(["prompt", "guidance.negativePrompt"]);

/** The failure of one task from what the model threw. */
export function failureOf(thrown: unknown): TaskFailure {
  const message = messageOf(thrown);
  switch (codeOf(thrown)) {
    case "INPUT_INVALID":
      if (promptFields.has(fieldOf(thrown))) return describeFailure("PROMPT_TOO_LONG", message);
      return failureOfInput(message);
    case "MEMORY_EXCEEDED":
      return describeFailure("OUT_OF_MEMORY", message);
    case "OUTPUT_INVALID":
      return describeFailure("NAN_OUTPUT", message);
    default:
      return describeFailure("ENGINE_FAILED", message);
  }
}

/** NaN or infinity in a latent decodes to a plain picture that looks valid and is not. */
export function failureOfLatent(steps: number): TaskFailure {
  const message = `the latent holds a number that is not finite after ${steps} steps`;
  return describeFailure("NAN_OUTPUT", message);
}

/** Why an adapter could not be loaded, from what the model threw. */
export function loraFailureOf(thrown: unknown): LoraFailure {
  const message = messageOf(thrown);
  switch (codeOf(thrown)) {
    case "OBJECT_CORRUPT":
      return { kind: "corrupt", message };
    case "LORA_INVALID":
    case "INPUT_INVALID":
      return { kind: "refused", message };
    default:
      return { kind: "unreadable", message };
  }
}

/** The file at fault, where the model names one. */
export function fileOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("file" in thrown)) return undefined;
  return typeof thrown.file === "string" ? thrown.file : undefined;
}

/** One line that names the directory and the file at fault. */
export function describeModelFailure(
  modelDir: string,
  failed: { readonly file: string | undefined; readonly message: string },
): string {
  const isNamed = failed.file === undefined || failed.message.includes(failed.file);
  const file = isNamed ? "" : `${failed.file}: `;
  return `cannot use model directory ${modelDir}: ${file}${failed.message}`;
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function fieldOf(thrown: unknown): unknown {
  return thrown instanceof Error && "field" in thrown ? thrown.field : undefined;
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}

/**
 * Runs the gate in a thread of its own: a file is up to a gigabyte of numbers that are all looked
 * at, and a hostile header must cost neither the other calls nor this process its memory.
 */
import { Worker } from "node:worker_threads";
import { FarmError, type LoraArchitecture, limits } from "@zfarm/contract";
import type { Inspected, LoraGate } from "./gate.ts";

/** What a thread is started with. */
export interface GateOrder {
  readonly path: string;
  readonly architecture: LoraArchitecture;
}

/** What it says before it ends. */
export type GateAnswer =
  | { readonly kind: "good"; readonly inspected: Inspected }
  | { readonly kind: "refused"; readonly field: string; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

/** One thread for each file; `limits.loraUploadsMax` bounds them. */
export const threadGate: LoraGate = gateOf(new URL("gate-thread.ts", import.meta.url));

/** @param entry what runs in the thread. */
export function gateOf(entry: URL): LoraGate {
  return async (path, architecture, stop) => {
    stop.throwIfAborted();
    const workerData: GateOrder = { path, architecture };
    const thread = new Worker(entry, {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: limits.loraGateHeapMegabytes },
    });
    return await answerOf(thread, stop);
  };
}

async function answerOf(thread: Worker, stop: AbortSignal): Promise<Inspected> {
  const answer = Promise.withResolvers<GateAnswer>();
  const onAbort = (): void => answer.reject(stop.reason);
  thread.on("message", answer.resolve);
  // A thread that runs out of its memory is the file's doing: nothing else is in it.
  thread.on("error", (error) => answer.resolve(failureOf(error)));
  thread.on("exit", (code) => answer.resolve({ kind: "failed", message: `exit code ${code}` }));
  stop.addEventListener("abort", onAbort, { once: true });
  try {
    return judge(await answer.promise);
  } finally {
    stop.removeEventListener("abort", onAbort);
    await thread.terminate();
  }
}

function failureOf(error: unknown): GateAnswer {
  const isTooLarge =
    error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  if (!isTooLarge) return { kind: "failed", message: String(error) };
  const message = `its header takes more than ${limits.loraGateHeapMegabytes} MB to read`;
  return { kind: "refused", field: "file", message };
}

function judge(answer: GateAnswer): Inspected {
  if (answer.kind === "good") return answer.inspected;
  if (answer.kind === "failed")
    throw new FarmError("INTERNAL", `the gate broke: ${answer.message}`);
  const { field, message } = answer;
  const violations = [
    { field: oneLine(field), reason: "LORA_INVALID", description: oneLine(message) },
  ];
  throw new FarmError("LORA_REFUSED", oneLine(message), { violations });
}

/** Names of tensors come from the file: whatever they hold, they cannot steer a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").slice(0, limits.failureCharsMax);
}

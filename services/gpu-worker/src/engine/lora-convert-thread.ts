/** The thread of LoraReader that checks a file and lays its adapter out for runs. */
import { parentPort, workerData } from "node:worker_threads";
import {
  type LoraAdapter,
  type LoraArchitecture,
  ModelError,
  readLoraForRuns,
  withFileSource,
} from "@zfarm/zimage/lora";
import type { Numbered } from "./answering-thread.ts";
import type { ConvertAnswer, ConvertOrder } from "./lora-reader.ts";

const architecture = workerData as LoraArchitecture;
let last: Promise<unknown> = Promise.resolve();

parentPort?.on("message", ({ id, order }: Numbered<ConvertOrder>) => {
  // One after the other: two at once would both be ready later.
  last = last.then(async () => {
    const answer = await convert(order);
    parentPort?.postMessage(
      { id, answer },
      answer.kind === "read" ? buffersOf(answer.adapter) : [],
    );
  });
});

async function convert({ digest, path }: ConvertOrder): Promise<ConvertAnswer> {
  try {
    return await withFileSource(path, async (source) => {
      const { adapter, report } = await readLoraForRuns(source, architecture, { digest });
      return { kind: "read", adapter, bytes: report.deviceBytes };
    });
  } catch (error) {
    const isRefusal = error instanceof ModelError && error.code === "LORA_INVALID";
    const message = error instanceof Error ? error.message : String(error);
    return { kind: isRefusal ? "refused" : "unreadable", message };
  }
}

/** Each once: they change hands instead of being copied. */
function buffersOf({ modules, products = new Map() }: LoraAdapter): ArrayBuffer[] {
  const pairs = [...modules.values()].flatMap(({ down, up }) => [down.buffer, up.buffer]);
  const arrays = [...pairs, ...[...products.values()].map(({ factors }) => factors.buffer)];
  return [...new Set(arrays)].filter((buffer) => buffer instanceof ArrayBuffer);
}

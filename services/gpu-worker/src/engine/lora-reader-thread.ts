/** The thread of LoraReader: one file at a time, checked whole, laid out for runs. */
import { parentPort, workerData } from "node:worker_threads";
import {
  digestOf,
  type LoraAdapter,
  type LoraArchitecture,
  ModelError,
  readLoraForRuns,
  withFileSource,
} from "@zfarm/zimage/lora";
import type { ReadAnswer, ReadOrder } from "./lora-reader.ts";

const architecture = workerData as LoraArchitecture;
let reading: Promise<unknown> = Promise.resolve();

parentPort?.on("message", (order: ReadOrder) => {
  // One after the other: two would only be ready later, both.
  reading = reading.then(() => answer(order));
});

async function answer(order: ReadOrder): Promise<void> {
  const read = await readFile(order);
  const buffers = read.kind === "read" ? buffersOf(read.adapter) : [];
  parentPort?.postMessage(read, buffers);
}

async function readFile({ order, digest, path }: ReadOrder): Promise<ReadAnswer> {
  try {
    return await withFileSource(path, async (source) => {
      try {
        const { adapter, report } = await readLoraForRuns(source, architecture);
        if (report.digest === digest) {
          return { order, kind: "read", adapter, bytes: report.deviceBytes };
        }
        return corrupt(order, path, report.digest);
      } catch (error) {
        // A broken file often makes no sense either; which one it is, its digest tells.
        const found = await digestOf(source);
        if (found !== digest) return corrupt(order, path, found);
        const kind = isRefusal(error) ? "refused" : "unreadable";
        return { order, kind, message: messageOf(error) };
      }
    });
  } catch (error) {
    return { order, kind: "unreadable", message: messageOf(error) };
  }
}

function corrupt(order: number, path: string, found: string): ReadAnswer {
  return { order, kind: "corrupt", message: `${path} has the content of ${found}` };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ModelError && error.code === "LORA_INVALID";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Each once: they change hands instead of being copied. */
function buffersOf({ modules }: LoraAdapter): ArrayBuffer[] {
  const arrays = [...modules.values()].flatMap(({ down, up }) => [down.buffer, up.buffer]);
  return [...new Set(arrays)].filter((buffer) => buffer instanceof ArrayBuffer);
}

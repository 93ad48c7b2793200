/** The thread of LoraReader that computes a file's SHA-256. */
import { parentPort } from "node:worker_threads";
import { digestOf, withFileSource } from "@zfarm/zimage/lora";
import type { Numbered } from "./answering-thread.ts";
import type { DigestAnswer } from "./lora-reader.ts";

parentPort?.on("message", ({ id, order: path }: Numbered<string>) => {
  void digest(path).then((answer) => parentPort?.postMessage({ id, answer }));
});

async function digest(path: string): Promise<DigestAnswer> {
  try {
    return { kind: "digest", digest: await withFileSource(path, digestOf) };
  } catch (error) {
    return { kind: "unreadable", message: error instanceof Error ? error.message : String(error) };
  }
}

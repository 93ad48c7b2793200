/**
 * The body of a thread beside a pipeline: it holds the text encoder and the decoder, and works on
 * one order at a time. It is never ended from outside in the middle of a run, which the runtime
 * below would not survive: it ends by itself when it is told to close.
 */
import { parentPort, workerData } from "node:worker_threads";
import { openModelDirectory } from "../model/open-model-directory.ts";
import { type SideAnswer, type SideModel, type SideOrder, toSideError } from "./side-orders.ts";
import { openTextEncoder, type TextEncoder } from "./text-encoder.ts";
import { openVaeDecoder, type VaeDecoder } from "./vae-decoder.ts";

interface Opened {
  readonly textEncoder: TextEncoder;
  readonly vaeDecoder: VaeDecoder;
}

const { modelDirectory, options } = workerData as SideModel;
let working: Promise<unknown> = serve();

async function serve(): Promise<void> {
  try {
    const networks = await open();
    parentPort?.on("message", (order: SideOrder) => {
      working = working.then(() => obey(networks, order));
    });
    say({ kind: "ready" });
  } catch (error) {
    say({ kind: "failed", order: undefined, error: toSideError(error) });
  }
}

async function open(): Promise<Opened> {
  const { textEncoder: text, vae } = await openModelDirectory(modelDirectory);
  const textEncoder = await openTextEncoder(text.config, text.tensors, options);
  // As in open-networks: pictures show what narrower decoders lose, and it is small.
  const { compute: _, ...decoding } = options;
  const vaeDecoder = await openVaeDecoder(vae.config, vae.tensors, decoding);
  return { textEncoder, vaeDecoder };
}

async function obey({ textEncoder, vaeDecoder }: Opened, order: SideOrder): Promise<void> {
  if (order.kind === "close") {
    await textEncoder.close();
    await vaeDecoder.close();
    parentPort?.close();
    return;
  }
  try {
    const results =
      order.kind === "encode"
        ? await textEncoder.encode(order.ids)
        : await vaeDecoder.decode(order.batch);
    say({ kind: "done", order: order.order, results });
  } catch (error) {
    say({ kind: "failed", order: order.order, error: toSideError(error) });
  }
}

/** Results change hands instead of being copied. */
function say(answer: SideAnswer): void {
  const arrays = answer.kind === "done" ? answer.results.map(({ buffer }) => buffer) : [];
  const transfer = arrays.filter((buffer) => buffer instanceof ArrayBuffer);
  parentPort?.postMessage(answer, [...new Set(transfer)]);
}

/** Shares pieces out among threads, one per core, and reports each as it is done. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ModelError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { Piece } from "./piece.ts";
import type { PieceAnswer } from "./piece-thread.ts";

export interface RunOptions {
  readonly threads?: number;
  /** No further piece is begun; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onDone: (piece: Piece, sha256: string) => Promise<void> | void;
}

/** Makes all pieces. The first failure ends the rest and is thrown. */
export async function runPieces(pieces: readonly Piece[], options: RunOptions): Promise<void> {
  const count = Math.min(options.threads ?? availableParallelism(), Math.max(1, pieces.length));
  const queue = pieces.values();
  const failed = new AbortController();
  const lanes = Array.from({ length: count }, () => runLane(queue, failed.signal, options));
  try {
    await Promise.all(lanes);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(lanes);
    throw error;
  }
}

/** One thread and the pieces it gets; lanes share the queue. */
async function runLane(
  queue: Iterator<Piece>,
  failed: AbortSignal,
  { signal, onDone }: RunOptions,
): Promise<void> {
  const thread = new Worker(new URL("./piece-thread.ts", import.meta.url));
  try {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      signal?.throwIfAborted();
      if (failed.aborted) return;
      const answer = await ask(thread, next.value);
      if (answer.kind === "refused") {
        const { message, file, field } = answer;
        throw new ModelError("MODEL_INVALID", message, {
          ...(file !== undefined && { file }),
          ...(field !== undefined && { field }),
        });
      }
      await onDone(next.value, answer.sha256);
    }
  } finally {
    await thread.terminate();
  }
}

/** Rejects when the thread fails, which it does for anything but a model at fault. */
async function ask(thread: Worker, piece: Piece): Promise<PieceAnswer> {
  const answered = once(thread, "message");
  thread.postMessage(piece);
  const [answer]: PieceAnswer[] = await answered;
  invariant(answer !== undefined, "a thread answers with one message");
  return answer;
}

/** Answers what a scheduler asks of the workers of its machine. */
import { parseHandsRequest, writeHandsMessage } from "@zfarm/contract";
import type { LocalWorkers } from "./local-workers.ts";

/** The reply; undefined for what is no request. */
export function answerHands(workers: LocalWorkers, message: unknown): object | undefined {
  const request = parseHandsRequest(message);
  if (request === undefined) return undefined;
  const { id, content } = request;
  const reply =
    content.kind === "observe"
      ? ({ kind: "observed", fleets: workers.observe() } as const)
      : workers.scale(content);
  return writeHandsMessage("reply", { id, content: reply });
}

/** Decides what a client of a single picture is told when its task ended without one. */
import { type ErrorCode, FarmError, limits, type Outcome, OutcomeKind } from "@zfarm/contract";

/**
 * The error of an outcome, or undefined where it succeeded. A reason that is itself a code of the
 * error table (PROMPT_TOO_LONG) keeps its meaning; any other is TASK_FAILED and named in the text.
 */
export function errorOfOutcome(outcome: Outcome): FarmError | undefined {
  switch (outcome.kind) {
    case OutcomeKind.SUCCEEDED:
      return undefined;
    case OutcomeKind.CANCELED:
      return new FarmError("TASK_CANCELED", "the task was canceled");
    case OutcomeKind.EXPIRED:
      return new FarmError("TASK_EXPIRED", "the task expired before a worker could take it");
    default:
      return failureError(outcome);
  }
}

function failureError(outcome: Outcome): FarmError {
  const reason = outcome.failure?.reason ?? "UNKNOWN";
  const text = (outcome.failure?.message ?? "").slice(0, limits.failureCharsMax);
  const told = text === "" ? "" : `: ${text}`;
  const code: ErrorCode = isClientFault(reason) ? reason : "TASK_FAILED";
  const violations =
    code === "PROMPT_TOO_LONG"
      ? [{ field: "image.prompt", reason: "TOO_LONG", description: promptRule }]
      : [];
  return new FarmError(code, `the task failed with ${reason}${told}`, { violations });
}

const promptRule = `at most ${limits.promptTokensMax} tokens are allowed`;

/** Only refusals of the request itself; a worker's INTERNAL is not the gateway's. */
function isClientFault(reason: string): reason is "PROMPT_TOO_LONG" | "INVALID_REQUEST" {
  return reason === "PROMPT_TOO_LONG" || reason === "INVALID_REQUEST";
}

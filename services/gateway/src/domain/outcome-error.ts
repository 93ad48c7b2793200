/** Decides what a client of a single picture is told when its task ended without one. */
import {
  FailureBlame,
  FarmError,
  failureRowOf,
  limits,
  type Outcome,
  OutcomeKind,
  type TaskFailure,
} from "@zfarm/contract";

/**
 * The error of an outcome, or undefined where it succeeded. The table of failure reasons says
 * which code a client sees; the reason itself is named in the text.
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
      return failureError(outcome.failure ?? unknownFailure);
  }
}

function failureError(failure: TaskFailure): FarmError {
  const { reason, message } = failure;
  const text = message.slice(0, limits.failureCharsMax);
  const told = text === "" ? "" : `: ${text}`;
  const { code } = failureRowOf(failure);
  const violations =
    code === "PROMPT_TOO_LONG"
      ? [{ field: "image.prompt", reason: "TOO_LONG", description: promptRule }]
      : [];
  return new FarmError(code, `the task failed with ${reason}${told}`, { violations });
}

/** An outcome of another version may say that a task failed and not why. */
const unknownFailure: TaskFailure = {
  reason: "UNKNOWN",
  message: "",
  blame: FailureBlame.UNSPECIFIED,
};

const promptRule = `at most ${limits.promptTokensMax} tokens are allowed`;

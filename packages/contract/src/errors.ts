/**
 * The farm's one error type and the one table that says what each code means to a client.
 * Expected outcomes are values; this is for failures of the outside world and bad requests.
 */
import { status } from "@grpc/grpc-js";

interface CodeRow {
  /** The gRPC status a client sees. */
  readonly grpc: status;
  /** Whether the same call may work later without anyone changing anything. */
  readonly retry: boolean;
}

/** Code, which is also ErrorInfo.reason and the metric label, to its row. */
export const errorTable = {
  INVALID_REQUEST: { grpc: status.INVALID_ARGUMENT, retry: false },
  PROMPT_TOO_LONG: { grpc: status.INVALID_ARGUMENT, retry: false },
  JOB_NOT_FOUND: { grpc: status.NOT_FOUND, retry: false },
  TASK_NOT_FOUND: { grpc: status.NOT_FOUND, retry: false },
  WORKER_NOT_FOUND: { grpc: status.NOT_FOUND, retry: false },
  POOL_NOT_FOUND: { grpc: status.NOT_FOUND, retry: false },
  /** The project has no such adapter, or no such version of it. */
  LORA_NOT_FOUND: { grpc: status.NOT_FOUND, retry: false },
  /** The file is no adapter that the pool's model could take; the violation names what is wrong. */
  LORA_REFUSED: { grpc: status.INVALID_ARGUMENT, retry: false },
  /** The version exists with another file, and what a version means never changes. */
  LORA_VERSION_EXISTS: { grpc: status.ALREADY_EXISTS, retry: false },
  /** An alias names the version, or it is the last one. */
  LORA_VERSION_NEEDED: { grpc: status.FAILED_PRECONDITION, retry: false },
  /** The project, or the farm, has as many adapters or versions as it may. */
  LORAS_FULL: { grpc: status.RESOURCE_EXHAUSTED, retry: false },
  /** The gateway takes in as many files as it may. */
  UPLOADS_BUSY: { grpc: status.RESOURCE_EXHAUSTED, retry: true },
  /** The verb came after the last task had ended. */
  JOB_ENDED: { grpc: status.FAILED_PRECONDITION, retry: false },
  /** Approval of a job that has no sample to approve. */
  NO_SAMPLE: { grpc: status.FAILED_PRECONDITION, retry: false },
  /** Nothing of the job failed, so there is nothing to try again. */
  NOTHING_FAILED: { grpc: status.FAILED_PRECONDITION, retry: false },
  REQUEST_ID_REUSED: { grpc: status.ALREADY_EXISTS, retry: false },
  NO_CAPABLE_POOL: { grpc: status.FAILED_PRECONDITION, retry: false },
  /** The project has as many waiting tasks as its policy allows. */
  QUOTA_EXCEEDED: { grpc: status.RESOURCE_EXHAUSTED, retry: true },
  QUEUE_FULL: { grpc: status.RESOURCE_EXHAUSTED, retry: true },
  TOO_LARGE: { grpc: status.RESOURCE_EXHAUSTED, retry: false },
  RESUME_TOKEN_EXPIRED: { grpc: status.OUT_OF_RANGE, retry: false },
  CONFLICT: { grpc: status.ABORTED, retry: true },
  BROKER_UNAVAILABLE: { grpc: status.UNAVAILABLE, retry: true },
  NO_LEADER: { grpc: status.UNAVAILABLE, retry: true },
  STORE_UNAVAILABLE: { grpc: status.UNAVAILABLE, retry: true },
  /** Who starts and stops workers does not answer, or not as it should: the autoscaler's hands. */
  CLUSTER_UNAVAILABLE: { grpc: status.UNAVAILABLE, retry: true },
  /** Heals by no retry of the process that met it; a farm that was restored answers clients. */
  STATE_LOST: { grpc: status.UNAVAILABLE, retry: false },
  DRAINING: { grpc: status.UNAVAILABLE, retry: true },
  /** A watch that lived its time; its client resumes it. */
  WATCH_ENDED: { grpc: status.UNAVAILABLE, retry: true },
  /** Made by clients: nobody answers at the farm's address, or the connection broke. */
  FARM_UNREACHABLE: { grpc: status.UNAVAILABLE, retry: true },
  TASK_CANCELED: { grpc: status.CANCELLED, retry: false },
  TASK_EXPIRED: { grpc: status.DEADLINE_EXCEEDED, retry: false },
  DEADLINE_EXCEEDED: { grpc: status.DEADLINE_EXCEEDED, retry: false },
  TASK_FAILED: { grpc: status.INTERNAL, retry: false },
  OBJECT_MISSING: { grpc: status.DATA_LOSS, retry: false },
  OBJECT_CORRUPT: { grpc: status.DATA_LOSS, retry: false },
  INTERNAL: { grpc: status.INTERNAL, retry: false },
} as const satisfies Record<string, CodeRow>;

export type ErrorCode = keyof typeof errorTable;

/** One thing wrong with a request: which field, and what would be right. */
export interface Violation {
  /** Path in the request as clients write it, for example `images[3].width`. */
  readonly field: string;
  /** Stable, machine-readable, for example OUT_OF_RANGE. */
  readonly reason: string;
  /** Names the value and the bound; never quotes user text. */
  readonly description: string;
}

interface FarmErrorOptions {
  readonly cause?: unknown;
  readonly violations?: readonly Violation[];
  /** When a retry makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
}

/** A failure with a code from the table. The cause is for logs only and never leaves a process. */
export class FarmError extends Error {
  override readonly name = "FarmError";
  readonly code: ErrorCode;
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: FarmErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Turns anything thrown into a FarmError; what is not one already is a bug and INTERNAL. */
  static from(thrown: unknown): FarmError {
    if (thrown instanceof FarmError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new FarmError("INTERNAL", message, { cause: thrown });
  }
}

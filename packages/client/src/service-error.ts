/** Turns what grpc-js reports into the farm's error, with the details the gateway sent. */
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  decodeStatusDetails,
  type ErrorCode,
  errorTable,
  FarmError,
  statusDetailsKey,
} from "@zfarm/contract";

/** Where no gateway spoke: connection trouble, grpc-js itself, or a proxy. */
const codesWithoutDetails: Partial<Record<status, ErrorCode>> = {
  [status.UNAVAILABLE]: "FARM_UNREACHABLE",
  [status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [status.CANCELLED]: "TASK_CANCELED",
  [status.INVALID_ARGUMENT]: "INVALID_REQUEST",
  [status.RESOURCE_EXHAUSTED]: "TOO_LARGE",
};

export function toFarmError(thrown: unknown): FarmError {
  if (!isServiceError(thrown)) return FarmError.from(thrown);
  const [bytes] = thrown.metadata?.get(statusDetailsKey) ?? [];
  const details = bytes instanceof Buffer ? decodeStatusDetails(bytes) : undefined;
  if (details === undefined) {
    const code = codesWithoutDetails[thrown.code] ?? "INTERNAL";
    return new FarmError(code, thrown.details, { cause: thrown });
  }
  return new FarmError(codeOf(details.reason, thrown.code), details.message, {
    cause: thrown,
    violations: details.violations,
    ...(details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs }),
  });
}

/** Whether the same call may be sent again without harm: only what is UNAVAILABLE. */
export function isSafeToRetry(error: FarmError): boolean {
  return errorTable[error.code].grpc === status.UNAVAILABLE;
}

/** A newer farm may know reasons that this client does not; the gRPC code still tells. */
function codeOf(reason: string, code: status): ErrorCode {
  if (Object.hasOwn(errorTable, reason)) return reason as ErrorCode;
  return codesWithoutDetails[code] ?? "INTERNAL";
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown;
}

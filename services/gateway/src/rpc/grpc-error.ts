/** The door through which every failure leaves: FarmError to gRPC status with details. */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import {
  encodeStatusDetails,
  errorTable,
  type FarmError,
  limits,
  statusDetailsKey,
} from "@zfarm/contract";

/**
 * The status a client gets. Of an INTERNAL error it learns nothing but that it is one: the text
 * may come from any library and belongs into the log.
 */
export function toGrpcStatus(error: FarmError): StatusObject {
  const { grpc: code, retry } = errorTable[error.code];
  const details = error.code === "INTERNAL" ? "internal error; the log has more" : error.message;
  // Whatever the gateway itself may do about it: a client may come again, here or elsewhere.
  const mayRetry = retry || code === status.UNAVAILABLE;
  const metadata = new Metadata();
  const bytes = encodeStatusDetails({
    status: code,
    message: details,
    reason: error.code,
    violations: error.violations,
    retryAfterMs: mayRetry ? (error.retryAfterMs ?? limits.retryAfterMs) : undefined,
  });
  metadata.set(statusDetailsKey, Buffer.from(bytes));
  return { code, details, metadata };
}

/**
 * What a gRPC error carries beside its code: google.rpc.Status with ErrorInfo, BadRequest or
 * QuotaFailure, and RetryInfo, in the trailer where every client looks for it. Written by hand
 * over the wire format: five small messages do not earn a copy of google's protos. Field numbers:
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { ErrorCode, Violation } from "./errors.ts";

/** Trailer that holds the encoded details. */
export const statusDetailsKey = "grpc-status-details-bin";

/** Value of ErrorInfo.domain in every error of the farm. */
export const errorDomain = "zfarm";

export interface StatusDetails {
  /** The gRPC status code. */
  readonly status: number;
  readonly message: string;
  /** ErrorInfo.reason: a code of the error table. */
  readonly reason: string;
  /** Of fields, in BadRequest; of projects, named in `field`, in QuotaFailure. */
  readonly violations: readonly Violation[];
  /** RetryInfo, in milliseconds; undefined where a retry makes no sense. */
  readonly retryAfterMs: number | undefined;
}

const typeUrls = {
  errorInfo: "type.googleapis.com/google.rpc.ErrorInfo",
  quotaFailure: "type.googleapis.com/google.rpc.QuotaFailure",
  badRequest: "type.googleapis.com/google.rpc.BadRequest",
  retryInfo: "type.googleapis.com/google.rpc.RetryInfo",
} as const;

/** The code whose violations are of quotas: a code of the error table. */
const quotaReason = "QUOTA_EXCEEDED" satisfies ErrorCode;

/** A tag is the field number and the wire type; all fields here but numbers are type 2. */
const lengthDelimited = (field: number): number => (field << 3) | 2;
const varint = (field: number): number => field << 3;

export function encodeStatusDetails(details: StatusDetails): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32(varint(1)).int32(details.status);
  writer.uint32(lengthDelimited(2)).string(details.message);
  writeAny(writer, typeUrls.errorInfo, encodeErrorInfo(details.reason));
  if (details.violations.length > 0) {
    // In both the first field says what is wrong, and the second how.
    const isQuota = details.reason === quotaReason;
    const typeUrl = isQuota ? typeUrls.quotaFailure : typeUrls.badRequest;
    writeAny(writer, typeUrl, encodeViolations(details.violations, { withReason: !isQuota }));
  }
  if (details.retryAfterMs !== undefined) {
    writeAny(writer, typeUrls.retryInfo, encodeRetryInfo(details.retryAfterMs));
  }
  return writer.finish();
}

/** The details of a status, or undefined where the bytes hold none that the farm wrote. */
export function decodeStatusDetails(bytes: Uint8Array): StatusDetails | undefined {
  try {
    return readStatus(bytes);
  } catch {
    // A proxy may have put anything there; the plain gRPC code still says what happened.
    return undefined;
  }
}

function writeAny(writer: BinaryWriter, typeUrl: string, value: Uint8Array): void {
  writer.uint32(lengthDelimited(3)).fork();
  writer.uint32(lengthDelimited(1)).string(typeUrl);
  writer.uint32(lengthDelimited(2)).bytes(value);
  writer.join();
}

function encodeErrorInfo(reason: string): Uint8Array {
  return new BinaryWriter()
    .uint32(lengthDelimited(1))
    .string(reason)
    .uint32(lengthDelimited(2))
    .string(errorDomain)
    .finish();
}

function encodeViolations(
  violations: readonly Violation[],
  { withReason }: { readonly withReason: boolean },
): Uint8Array {
  const writer = new BinaryWriter();
  for (const { field, description, reason } of violations) {
    writer.uint32(lengthDelimited(1)).fork();
    writer.uint32(lengthDelimited(1)).string(field);
    writer.uint32(lengthDelimited(2)).string(description);
    if (withReason) writer.uint32(lengthDelimited(3)).string(reason);
    writer.join();
  }
  return writer.finish();
}

/** RetryInfo holds one google.protobuf.Duration: seconds and nanoseconds. */
function encodeRetryInfo(retryAfterMs: number): Uint8Array {
  const ms = Math.max(0, Math.round(retryAfterMs));
  return new BinaryWriter()
    .uint32(lengthDelimited(1))
    .fork()
    .uint32(varint(1))
    .int64(Math.floor(ms / 1_000))
    .uint32(varint(2))
    .int32((ms % 1_000) * 1_000_000)
    .join()
    .finish();
}

function readStatus(bytes: Uint8Array): StatusDetails | undefined {
  const status = readFields(bytes);
  const anys = status.blobs(3).map(readFields);
  const find = (typeUrl: string): Fields | undefined => {
    const any = anys.find((each) => each.text(1) === typeUrl);
    return any === undefined ? undefined : readFields(any.blobs(2)[0] ?? new Uint8Array());
  };
  const info = find(typeUrls.errorInfo);
  if (info?.text(2) !== errorDomain) return undefined;
  const delay = find(typeUrls.retryInfo)?.blobs(1)[0];
  const found = find(typeUrls.badRequest) ?? find(typeUrls.quotaFailure);
  const violations = found?.blobs(1).map(readFields) ?? [];
  return {
    status: status.number(1),
    message: status.text(2),
    reason: info.text(1),
    violations: violations.map((each) => ({
      field: each.text(1),
      description: each.text(2),
      reason: each.text(3),
    })),
    retryAfterMs: delay === undefined ? undefined : readDurationMs(delay),
  };
}

function readDurationMs(bytes: Uint8Array): number {
  const duration = readFields(bytes);
  return duration.number(1) * 1_000 + duration.number(2) / 1_000_000;
}

/** The fields of one message, not yet interpreted. */
interface Fields {
  number(field: number): number;
  text(field: number): string;
  blobs(field: number): Uint8Array[];
}

function readFields(bytes: Uint8Array): Fields {
  const numbers = new Map<number, number>();
  const blobs = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === 0) numbers.set(field, Number(reader.int64()));
    else if (wireType === 2) blobs.set(field, [...(blobs.get(field) ?? []), reader.bytes()]);
    else reader.skip(wireType, field);
  }
  return {
    number: (field) => numbers.get(field) ?? 0,
    text: (field) => new TextDecoder().decode(blobs.get(field)?.[0]),
    blobs: (field) => blobs.get(field) ?? [],
  };
}

/**
 * Decodes requests inside the handlers: what is not protobuf is then the client's error
 * (INVALID_ARGUMENT), where grpc-js itself would call it INTERNAL.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { CreateJobRequest, FarmError } from "@zfarm/contract";
import { checkImageCount } from "../domain/validate-request.ts";
import { invalidField } from "../domain/violations.ts";

/** The message, or INVALID_REQUEST. */
export function decodeRequest<Request>(
  message: { decode(bytes: Uint8Array): Request },
  bytes: Uint8Array,
): Request {
  try {
    return message.decode(bytes);
  } catch (error) {
    throw malformed(error);
  }
}

/** The field `images` of CreateJobRequest, length-delimited. */
const imagesField = 5;

/**
 * As `decodeRequest`, but counts the pictures first: a request within the size limit can hold two
 * million empty ones, and decoding those would take hundreds of megabytes.
 */
export function decodeCreateJob(bytes: Uint8Array): CreateJobRequest {
  const fault = checkImageCount(countImages(bytes));
  if (fault !== undefined) throw invalidField("images", fault);
  return decodeRequest(CreateJobRequest, bytes);
}

function countImages(bytes: Uint8Array): number {
  try {
    const reader = new BinaryReader(bytes);
    let count = 0;
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === imagesField) count += 1;
      reader.skip(wireType, field);
    }
    return count;
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(cause: unknown): FarmError {
  const description = "the bytes are not a message of this method's request type";
  return new FarmError("INVALID_REQUEST", description, {
    cause,
    violations: [{ field: "", reason: "MALFORMED", description }],
  });
}

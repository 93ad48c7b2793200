/**
 * Decodes requests inside the handlers: what is not protobuf is then the client's error
 * (INVALID_ARGUMENT), where grpc-js itself would call it INTERNAL.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CreateJobRequest, FarmError, limits, MessageReader } from "@zfarm/contract";
import { checkCount } from "../domain/lora-about.ts";
import { checkImageCount } from "../domain/validate-request.ts";
import { invalidField } from "../domain/violations.ts";

/** The message, or INVALID_REQUEST. */
export function decodeRequest<Request>(
  message: { decode(reader: MessageReader): Request },
  bytes: Uint8Array,
): Request {
  try {
    return message.decode(new MessageReader(bytes));
  } catch (error) {
    throw malformed(error);
  }
}

/** Fields of the requests that hold pictures, and of a picture, each length-delimited. */
const imagesField = 5;
const imageField = 4;
const lorasField = 6;

/**
 * As `decodeRequest`, but counts the pictures first: a request within the size limit can hold two
 * million empty ones, and decoding those would take hundreds of megabytes.
 */
export function decodeCreateJob(bytes: Uint8Array): CreateJobRequest {
  const fault = checkImageCount(countFields(bytes, imagesField));
  if (fault !== undefined) throw invalidField("images", fault);
  let index = 0;
  eachField(bytes, imagesField, (image) => checkLoraCount(image, `images[${index++}]`));
  return decodeRequest(CreateJobRequest, bytes);
}

/** As `decodeRequest`, but counts the picture's adapters first, for the same reason. */
export function decodeRender<Request>(
  message: { decode(reader: MessageReader): Request },
  bytes: Uint8Array,
): Request {
  eachField(bytes, imageField, (image) => checkLoraCount(image, "image"));
  return decodeRequest(message, bytes);
}

function checkLoraCount(image: Uint8Array, path: string): void {
  const fault = checkCount(countFields(image, lorasField), limits.imageLorasMax);
  if (fault !== undefined) throw invalidField(`${path}.loras`, fault);
}

function countFields(bytes: Uint8Array, wanted: number): number {
  let count = 0;
  walk(bytes, (reader, field, wireType) => {
    if (field === wanted) count += 1;
    reader.skip(wireType, field);
  });
  return count;
}

/** Only occurrences that could be messages. */
function eachField(bytes: Uint8Array, wanted: number, use: (bytes: Uint8Array) => void): void {
  walk(bytes, (reader, field, wireType) => {
    if (field === wanted && wireType === WireType.LengthDelimited) use(reader.bytes());
    else reader.skip(wireType, field);
  });
}

type Visit = (reader: BinaryReader, field: number, wireType: WireType) => void;

function walk(bytes: Uint8Array, visit: Visit): void {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) visit(reader, ...reader.tag());
  } catch (error) {
    if (error instanceof FarmError) throw error;
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

/** Bytes that are no message of the method, and calls that break the protocol around it. */
import { type BadRequest, invalid, methods, renderBytes, secret } from "./row.ts";

const utf8 = (text: string): number[] => [...Buffer.from(text)];

/** RenderImageRequest{image{prompt}} with the prompt given as raw bytes. */
const promptBytes = (prompt: readonly number[]): Uint8Array =>
  Uint8Array.of(0x22, prompt.length + 2, 0x0a, prompt.length, ...prompt);

const malformed = (name: string, bytes: readonly number[]): BadRequest[] =>
  [methods.render, methods.create, methods.watch].map((method) => ({
    name: `${name} at ${method}`,
    method,
    bytes: Uint8Array.from(bytes),
    ...invalid([" MALFORMED"]),
    tells: "not a message",
  }));

const notUtf8 = (name: string, bytes: readonly number[]): BadRequest => ({
  name: `prompt with ${name}`,
  method: methods.render,
  bytes: promptBytes([...utf8(secret), ...bytes, 0x78]),
  ...invalid(["image.prompt INVALID_UTF8"]),
});

export const wireRows: readonly BadRequest[] = [
  ...malformed("a string cut short", [0x0a, 200, 0x61]),
  ...malformed("a varint cut short", [0x08, 0x80]),
  ...malformed("wire type 6", [0x0e, 1]),
  ...malformed("wire type 7", [0x0f, 1]),
  ...malformed("a length beyond the end", [0x0a, 0xff, 0xff, 0xff, 0x7f]),
  ...malformed("text instead of protobuf", utf8(`{"prompt":"${secret}"}`)),
  notUtf8("a byte that never occurs", [0xff]),
  notUtf8("an overlong slash", [0xc0, 0xaf]),
  notUtf8("a surrogate in UTF-8", [0xed, 0xa0, 0x80]),
  notUtf8("a letter cut short", [0xe2, 0x82]),
  {
    name: "a varint of eleven bytes",
    method: methods.render,
    bytes: Uint8Array.of(0x22, 12, 0x10, ...Array<number>(10).fill(0xff), 1),
    ...invalid([" MALFORMED"]),
  },
  {
    name: "an empty message",
    method: methods.render,
    bytes: new Uint8Array(),
    ...invalid(["image REQUIRED"]),
  },
  {
    name: "the prompt as a number",
    method: methods.render,
    bytes: Uint8Array.of(0x22, 2, 0x08, 7),
    ...invalid(["image.prompt REQUIRED"]),
  },
  {
    name: "a later prompt replaces an earlier one",
    method: methods.render,
    bytes: Uint8Array.of(0x22, 6, 0x0a, 1, 0x61, 0x0a, 1, 0x07),
    ...invalid(["image.prompt CONTROL_CHARACTER"]),
  },
  {
    name: "more than the largest request",
    method: methods.create,
    bytes: new Uint8Array(4 * 1_024 * 1_024 + 1),
    code: "RESOURCE_EXHAUSTED",
  },
  {
    name: "metadata of 9 KiB",
    method: methods.render,
    bytes: renderBytes(),
    metadata: { "x-padding": secret.repeat(600) },
    code: "RESOURCE_EXHAUSTED",
    reason: "TOO_LARGE",
    tells: "8192",
  },
  {
    name: "a method that does not exist",
    method: "/zfarm.v1.RenderService/Paint",
    bytes: renderBytes(),
    code: "UNIMPLEMENTED",
  },
  {
    name: "a service that does not exist",
    method: "/zfarm.v1.AdminService/Drop",
    bytes: renderBytes(),
    code: "UNIMPLEMENTED",
  },
  {
    name: "the package misspelled",
    method: "/zfarm.v2.RenderService/RenderImage",
    bytes: renderBytes(),
    code: "UNIMPLEMENTED",
  },
];

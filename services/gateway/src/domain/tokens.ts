/**
 * Page and resume tokens: a number bound to one job. The checksum is no secret; it turns a token
 * of another job, or one with a typing error, into a clear refusal instead of a wrong page.
 */
import { type JobRef, jobName } from "@zfarm/contract";

type TokenKind = "page" | "resume";

const pattern = /^([pr])([0-9a-z]{1,13})-([0-9a-f]{16})$/;

/** The largest revision that a stream can have. */
const valueMax = 2n ** 64n - 1n;

/** Where the next page starts, as a task index. */
export function encodePageToken(job: JobRef, index: number): string {
  return encode("page", job, BigInt(index));
}

/** The index, or undefined where this is no page token of this job. */
export function decodePageToken(job: JobRef, token: string): number | undefined {
  const value = decode("page", job, token);
  return value === undefined ? undefined : Number(value);
}

/** After which outcome a watch goes on. */
export function encodeResumeToken(job: JobRef, revision: bigint): string {
  return encode("resume", job, revision);
}

/** The revision, or undefined where this is no resume token of this job. */
export function decodeResumeToken(job: JobRef, token: string): bigint | undefined {
  return decode("resume", job, token);
}

function encode(kind: TokenKind, job: JobRef, value: bigint): string {
  const digits = value.toString(36);
  return `${kind[0]}${digits}-${checksum(`${kind}|${jobName(job)}|${digits}`)}`;
}

function decode(kind: TokenKind, job: JobRef, token: string): bigint | undefined {
  const match = pattern.exec(token);
  const digits = match?.[2];
  if (match === null || digits === undefined || match[1] !== kind[0]) return undefined;
  if (match[3] !== checksum(`${kind}|${jobName(job)}|${digits}`)) return undefined;
  const value = Array.from(digits).reduce(
    (sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)),
    0n,
  );
  return value <= valueMax ? value : undefined;
}

/**
 * FNV-1a over 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/ (ASCII in, 16 digits out). In two
 * halves, as every event of every watch has one: the factor is 2^40 + 435.
 */
function checksum(text: string): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (let index = 0; index < text.length; index += 1) {
    const mixed = (low ^ text.charCodeAt(index)) >>> 0;
    const product = mixed * 435;
    const carry = Math.floor(product / 2 ** 32);
    high = (Math.imul(high, 435) + carry + (mixed << 8)) >>> 0;
    low = product >>> 0;
  }
  return digitsOf(high) + digitsOf(low);
}

function digitsOf(half: number): string {
  return half.toString(16).padStart(8, "0");
}

/**
 * Page and resume tokens: a number bound to one job. The checksum is no secret; it turns a token
 * of another job, or one with a typing error, into a clear refusal instead of a wrong page.
 */
import { type JobRef, jobName } from "@zfarm/contract";

type TokenKind = "page" | "resume";

const pattern = /^([pr])([0-9a-z]{1,13}(?:\.[0-9a-z]{1,7})?)-([0-9a-f]{16})$/;

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The largest revision that a stream can have. */
const valueMax = 2n ** 64n - 1n;

/** Where the next page starts, as a task index. */
export function encodePageToken(job: JobRef, index: number): string {
  return sealOf("page", job)(index.toString(36));
}

/** The index, or undefined where this is no page token of this job. */
export function decodePageToken(job: JobRef, token: string): number | undefined {
  const value = numberOf(unseal("page", job, token) ?? "");
  return value === undefined ? undefined : Number(value);
}

/** After which outcome a watch goes on. */
export interface ResumePoint {
  readonly revision: bigint;
  /**
   * Names what was told up to there, see `tellNext`: revisions alone stand for other outcomes where
   * a broker came back without its newest ones. Undefined in tokens of older gateways.
   */
  readonly told: number | undefined;
}

/** What names that nothing was told. */
export const toldNothing = 0x811c9dc5;

/** What names the outcomes told so far and that of one more task: FNV-1a over their indexes. */
export function tellNext(told: number, index: number): number {
  return Math.imul(told ^ index, 0x01000193) >>> 0;
}

/** Makes many resume tokens of one job: every event of a watch has its own. */
export function resumeTokensOf(job: JobRef): (point: ResumePoint) => string {
  const seal = sealOf("resume", job);
  return ({ revision, told }) => {
    const digits = revision.toString(36);
    return seal(told === undefined ? digits : `${digits}.${base36(told)}`);
  };
}

/** Undefined where this is no resume token of this job. */
export function decodeResumeToken(job: JobRef, token: string): ResumePoint | undefined {
  const [digits, told] = unseal("resume", job, token)?.split(".") ?? [];
  const revision = digits === undefined ? undefined : numberOf(digits);
  if (revision === undefined) return undefined;
  return { revision, told: told === undefined ? undefined : Number.parseInt(told, 36) };
}

/** Seals digits for a job; what all seals of the job have in common is summed up once. */
function sealOf(kind: TokenKind, job: JobRef): (digits: string) => string {
  const begun = mix(emptySum, `${kind}|${jobName(job)}|`);
  return (digits) => `${kind[0]}${digits}-${hexOf(mix(begun, digits))}`;
}

/** What was sealed for this job; undefined for everything else. */
function unseal(kind: TokenKind, job: JobRef, token: string): string | undefined {
  const match = pattern.exec(token);
  const digits = match?.[2];
  if (match === null || digits === undefined || match[1] !== kind[0]) return undefined;
  return sealOf(kind, job)(digits) === token ? digits : undefined;
}

function numberOf(digits: string): bigint | undefined {
  if (!/^[0-9a-z]+$/.test(digits)) return undefined;
  const value = Array.from(digits).reduce(
    (sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)),
    0n,
  );
  return value <= valueMax ? value : undefined;
}

/** `Number.prototype.toString` takes three times as long, for it reckons with fractions. */
function base36(number: number): string {
  let text = "";
  for (let left = number; left > 0 || text === ""; ) {
    const next = Math.floor(left / 36);
    text = alphabet[left - next * 36] + text;
    left = next;
  }
  return text;
}

/** 64 bits in two halves: the factor is 2^40 + 435. */
interface Sum {
  readonly high: number;
  readonly low: number;
}

const emptySum: Sum = { high: 0xcbf29ce4, low: 0x84222325 };

/** FNV-1a over 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/, of ASCII. */
function mix(sum: Sum, text: string): Sum {
  let { high, low } = sum;
  for (let index = 0; index < text.length; index += 1) {
    const mixed = (low ^ text.charCodeAt(index)) >>> 0;
    const product = mixed * 435;
    const carry = Math.floor(product / 2 ** 32);
    high = (Math.imul(high, 435) + carry + (mixed << 8)) >>> 0;
    low = product >>> 0;
  }
  return { high, low };
}

const sumBytes = Buffer.alloc(8);

/** 16 digits. */
function hexOf({ high, low }: Sum): string {
  sumBytes.writeUInt32BE(high, 0);
  sumBytes.writeUInt32BE(low, 4);
  return sumBytes.toString("hex");
}

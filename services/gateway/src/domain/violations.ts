/** Collects what is wrong with a request, all of it at once, up to what an error may carry. */
import { type ErrorCode, FarmError, limits, type Violation } from "@zfarm/contract";

/** Why a field was refused; stable, so clients may act on them. */
export const violationReasons = [
  "REQUIRED",
  "BLANK",
  "TOO_LONG",
  "TOO_MANY",
  "INVALID_UTF8",
  "CONTROL_CHARACTER",
  "BIDI_CONTROL",
  "TAG_CHARACTER",
  "NONCHARACTER",
  "BYTE_ORDER_MARK",
  "OUT_OF_RANGE",
  "NOT_A_MULTIPLE",
  "AREA_TOO_LARGE",
  "ASPECT_TOO_WIDE",
  "BAD_NAME",
  "BAD_ID",
  "BAD_TOKEN",
  "UNKNOWN_FIELD",
  "DUPLICATE",
  "NOT_FOUND",
  "DIGEST_MISMATCH",
  "UNSUPPORTED",
  "MALFORMED",
] as const;

export type ViolationReason = (typeof violationReasons)[number];

/** What is wrong with one value, without the name of its field. */
export interface Fault {
  readonly reason: ViolationReason;
  /** Names the value and the bound; never quotes user text. */
  readonly description: string;
}

/** Grows while a request is checked. Keeps the first `limits.violationsMax` and counts the rest. */
export class Violations {
  readonly #kept: Violation[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(field: string, fault: Fault | undefined): void {
    if (fault === undefined) return;
    this.#count += 1;
    if (this.#kept.length < limits.violationsMax) this.#kept.push({ field, ...fault });
  }

  /** Whether nothing else is wrong than what this reason stands for. */
  isOnly(reason: ViolationReason): boolean {
    return this.#kept.every((violation) => violation.reason === reason);
  }

  /** An error with everything that was found. */
  toError(code: ErrorCode = "INVALID_REQUEST"): FarmError {
    const [first] = this.#kept;
    const rest = this.#count > 1 ? ` (and ${this.#count - 1} more)` : "";
    const message = first === undefined ? "" : `${first.field}: ${first.description}${rest}`;
    return new FarmError(code, message, { violations: this.#kept });
  }
}

/** INVALID_REQUEST for the one field that a method has. */
export function invalidField(field: string, fault: Fault): FarmError {
  const violations = new Violations();
  violations.add(field, fault);
  return violations.toError();
}

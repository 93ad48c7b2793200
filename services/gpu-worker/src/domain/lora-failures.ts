/** Says whose fault it is that an adapter could not be had, in words that name the adapter. */
import { describeFailure, type FailureReason, type TaskFailure } from "@zfarm/contract";

export type LoraTrouble = keyof typeof reasons;

const reasons = {
  missing: "LORA_MISSING",
  corrupt: "LORA_CORRUPT",
  unavailable: "LORA_UNAVAILABLE",
  "not-held": "LORA_NOT_HELD",
  /** The engine could not read what is on the disk. */
  unreadable: "LORA_NOT_HELD",
  /** The model cannot use it: no worker of the pool could. */
  refused: "INVALID_REQUEST",
} as const satisfies Record<string, FailureReason>;

export function describeLoraFailure(
  digest: string,
  trouble: { readonly kind: LoraTrouble; readonly message: string },
): TaskFailure {
  return describeFailure(reasons[trouble.kind], `adapter ${digest}: ${trouble.message}`);
}

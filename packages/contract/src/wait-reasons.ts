/** The names of wait reasons outside of proto: in metrics, logs and on terminals. */
import { WaitReason } from "./gen/zfarm/v1/scheduling.ts";

const names = new Map<WaitReason, string>(
  Object.entries(WaitReason).map(([name, value]) => [value, name.toLowerCase()]),
);

/** For example "fair_share". */
export function waitReasonName(reason: WaitReason): string {
  return names.get(reason) ?? "unspecified";
}

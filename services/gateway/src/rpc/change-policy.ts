/** Changes what operators want: reads, decides, writes, and looks again where others wrote. */
import { isDeepStrictEqual } from "node:util";
import type { PolicyRecords } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";

interface PolicyChange<Policy> {
  readonly id: string;
  /** What holds where no policy was written yet. */
  readonly initial: Policy;
  /** Gets the revision of the policy that stands, 0n for none; what it throws ends the call. */
  readonly change: (policy: Policy, revision: bigint) => Policy;
}

/** The policy after the change; nothing is written where it changes nothing. CONFLICT. */
export async function changePolicy<Policy>(
  records: PolicyRecords<Policy>,
  wanted: PolicyChange<Policy>,
): Promise<Policy> {
  return (await changeStanding(records, wanted)).policy;
}

/** As changePolicy, with the revision that stands after it. */
export async function changeStanding<Policy>(
  records: PolicyRecords<Policy>,
  { id, initial, change }: PolicyChange<Policy>,
): Promise<{ policy: Policy; revision: bigint }> {
  for (let attempt = 1; attempt <= limits.wishTriesMax; attempt += 1) {
    const standing = (await records.find(id)) ?? { policy: initial, revision: 0n };
    const { policy, revision } = standing;
    const changed = change(policy, revision);
    if (isDeepStrictEqual(changed, policy)) return standing;
    const put = await records.put(changed, revision);
    if (put !== "conflict") return { policy: changed, revision: put };
  }
  throw new FarmError("CONFLICT", "others keep changing this policy; look at it and try again");
}

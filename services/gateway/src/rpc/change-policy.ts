/** Changes what operators want: reads, decides, writes, and looks again where others wrote. */
import { isDeepStrictEqual } from "node:util";
import type { PolicyRecords } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";

interface PolicyChange<Policy> {
  readonly id: string;
  /** What holds where no policy was written yet. */
  readonly initial: Policy;
  readonly change: (policy: Policy) => Policy;
}

/** The policy after the change; nothing is written where it changes nothing. CONFLICT. */
export async function changePolicy<Policy>(
  records: PolicyRecords<Policy>,
  { id, initial, change }: PolicyChange<Policy>,
): Promise<Policy> {
  for (let attempt = 1; attempt <= limits.wishTriesMax; attempt += 1) {
    const standing = await records.find(id);
    const policy = standing?.policy ?? initial;
    const changed = change(policy);
    if (isDeepStrictEqual(changed, policy)) return policy;
    const put = await records.put(changed, standing?.revision ?? 0n);
    if (put !== "conflict") return changed;
  }
  throw new FarmError("CONFLICT", "others keep changing this policy; look at it and try again");
}

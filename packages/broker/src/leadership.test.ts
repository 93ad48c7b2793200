import { FarmError, limits } from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import { boundsWith } from "./bounds.ts";
import { LeaseLeadership } from "./leadership.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";

const renewal: LogMessage = { subject: "lease", bytes: new Uint8Array(), revision: 7n };
const never = new AbortController().signal;

/** A standby that looks at the lease once for each answer, until it is free. */
async function standBy(answers: readonly (LogMessage | FarmError)[]) {
  const clock = createManualClock();
  const left = [...answers];
  const lease: Pick<SubjectLog, "last" | "put"> = {
    last: async () => {
      const answer = left.shift();
      if (answer instanceof FarmError) throw answer;
      return answer;
    },
    put: async () => ({ kind: "stored", revision: 8n }),
  };
  const leadership = new LeaseLeadership({
    lease: lease as SubjectLog,
    shard: 0,
    bounds: boundsWith(),
    clock,
    log: silentLog,
    closing: never,
  });
  const startedAt = clock.monotonic();
  const acquiring = leadership.acquire("standby", never);
  for (let look = 0; look <= answers.length; look += 1) await clock.advance(limits.leaderRetryMs);
  return { startedAt, term: await acquiring };
}

const looks = Math.ceil(limits.leaderLeaseMs / limits.leaderRetryMs);

test("a standby knows since when the leader before it was quiet", async () => {
  const { startedAt, term } = await standBy(Array.from({ length: looks }, () => renewal));

  expect(term.quietSince).toBe(startedAt + limits.leaderGrantsMs);
});

test("a standby that could not look believes no renewal that it saw before", async () => {
  const outage = new FarmError("BROKER_UNAVAILABLE", "out");
  const seen = Array.from({ length: looks }, () => renewal);
  const { startedAt, term } = await standBy([...seen, outage]);

  expect(term.quietSince).toBe(startedAt + (looks + 1) * limits.leaderRetryMs);
});

/** Relations between bounds that code relies on, checked when the contract is loaded. */
import { limits } from "./limits.ts";

/** Each line is one. */
const relations: readonly (readonly [boolean, string])[] = [
  [limits.beatMs * 3 < limits.leaseMs, "a lease must survive two lost heartbeats"],
  [limits.leaderRenewMs * 2 < limits.leaderLeaseMs, "leadership must survive one lost renewal"],
  [
    limits.leaderRenewMs * 3 < limits.leaderGrantsMs,
    "a leader must go on granting although two renewals are late",
  ],
  [
    limits.leaderGrantsMs + limits.takeoverGraceMs <= limits.leaderLeaseMs,
    "a lease that expires must leave nothing to wait for",
  ],
  [limits.leaderRetryMs < limits.leaderLeaseMs, "a standby must ask more than once a lease"],
  [limits.outcomeRetentionMs < limits.jobRetentionMs, "a job must outlive its outcomes"],
  [
    limits.bundleThinMs * 10 < limits.outcomeRetentionMs,
    "a bundle must be taken apart long before outcomes of its tasks leave",
  ],
  [limits.jobRetentionMs <= limits.loraKeepMs, "a job that is tried again must find its adapters"],
  [
    limits.pageBytesMax + limits.messageBytesMax < limits.requestBytesMax,
    "a page and one adapter more must fit what gRPC clients take by default",
  ],
  [limits.loraChunkBytes < limits.requestBytesMax, "a chunk of a file must fit a request"],
  [limits.deadlineMsMax <= limits.jobRetentionMs, "a deadline must lie within its job's life"],
  [
    limits.workersMax * limits.batchTasksMax <= limits.projectRunningMax,
    "a project must be allowed to use the whole farm",
  ],
  [limits.createMs * 2 < limits.manifestSettleMs, "a create is over before it is done for it"],
  [limits.objectSweepAgeMs < limits.outcomeRetentionMs, "garbage must show while outcomes tell it"],
  [limits.beatMs * 2 < limits.takeoverGraceMs, "a new leader must hear every worker twice"],
  [limits.unlistedMs > limits.beatMs, "one beat that leaves out a lease must prove nothing"],
  [limits.unlistedMs + 2 * limits.beatMs < limits.leaseMs, "a dropped lease must show early"],
  [limits.strikeBurstMs < limits.strikeWindowMs, "failures must be told apart before they age"],
  [limits.poisonCrashes <= limits.taskCrashesMax, "poison must be found before a task is given up"],
  [limits.leaseMs < limits.workerForgetMs, "a worker must outlive its leases in the table"],
  [
    limits.drainGraceMs +
      limits.releaseMs +
      limits.latentsMs +
      limits.engineCloseMs +
      limits.brokerRequestMs <
      limits.stopWithinMs,
    "a drain, a hand-back, a last report and the end of the engine must fit into the stop",
  ],
  [
    limits.askHoldMs + limits.askSpreadMs < limits.askTimeoutMs,
    "the leader must answer before the worker gives up",
  ],
  [limits.loraLoadMs < limits.engineStepMs, "a slow load must fail before its engine is stuck"],
  [limits.loraRanksDefault <= limits.loraRanksMax, "the default ranks must be allowed ones"],
  [limits.loraPieceBytes <= limits.loraDiskBytesDefault, "a piece must fit the disk's budget"],
  [
    limits.watchEventsMax * limits.promptBytesMax * 4 < limits.requestBytesMax,
    "events of one answer must fit what gRPC clients take by default, each with two prompts, twice",
  ],
  [
    limits.followMessagesMax <= limits.followUnreadMax,
    "a follower must have room for what is on its way to it",
  ],
  [limits.promptBytesMax * 4 < limits.messageBytesMax, "a task must fit a message"],
  [limits.sidePixelsMax ** 2 <= limits.areaPixelsMax, "the largest square must be allowed"],
  [limits.callMsMax < limits.connectionGraceMs, "a connection must outlive its longest call"],
  [limits.renderMs <= limits.callMsMax, "a default deadline must be an allowed one"],
  [limits.drainMs < limits.stopWithinMs, "a drain must leave time for the rest of the stop"],
];
for (const [holds, why] of relations) {
  if (!holds) throw new RangeError(`limits: ${why}`);
}

/** Obeys the leader's commands to this worker. */
import type { Control } from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import type { AttemptRunner } from "./attempt-runner.ts";
import type { WorkerMetrics } from "./metrics.ts";
import type { WorkerState } from "./worker-state.ts";

export interface ControlNeeds {
  readonly state: WorkerState;
  readonly runner: Pick<AttemptRunner, "cancel" | "handBack" | "prewarm">;
  readonly log: Log;
  readonly metrics: WorkerMetrics;
}

/** Refuses leaders of an older epoch than the newest one heard. */
export function obeyControl(needs: ControlNeeds, control: Control): void {
  const { state, runner, log, metrics } = needs;
  const { epoch, shard = 0 } = control;
  if (!state.epochs.obeys(epoch, shard)) {
    metrics.staleEpochsTotal.inc();
    log.warn(describeEpochs(state, epoch, shard), "command of an old leader is refused");
    return;
  }
  switch (control.command?.$case) {
    case "cancel": {
      const held = state.held.leasedAs(control.command.value);
      if (held !== undefined) runner.cancel(held);
      return;
    }
    case "drain":
      log.info({}, "leader asked to drain");
      state.drain();
      for (const held of state.held.all()) {
        if (held.phase === "waiting" || held.phase === "loading") runner.handBack(held);
      }
      return;
    case "announce":
      state.meetLeader(epoch, shard);
      return;
    case "resume":
      if (state.resume()) log.info({}, "leader ended the drain");
      return;
    case "prewarm":
      if (control.command.value.lora !== undefined) runner.prewarm(control.command.value.lora);
      return;
    case undefined:
      log.warn({}, "command of an unknown kind is ignored");
      return;
  }
}

export function describeEpochs(state: WorkerState, epoch: bigint, shard: number): object {
  return { epoch: epoch.toString(), epoch_seen: state.epochs.seen(shard).toString(), shard };
}

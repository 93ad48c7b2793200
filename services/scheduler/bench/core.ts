/**
 * Measures the pure core: events per second with a deep backlog of many projects. Prints one
 * line per backlog; run it with `node services/scheduler/bench/core.ts`.
 */
import { OutcomeKind, type QueuedTask, taskIdOf } from "@zfarm/contract";
import { Scheduler } from "../src/domain/scheduler.ts";
import type { Grant } from "../src/domain/scheduler-effect.ts";
import { buildTask, startAt } from "../testing/drive-core.ts";

const projects = 1_000;
const workers = 64;
const rounds = 20_000;

for (const backlog of [1_000, 200_000]) {
  const started = performance.now();
  const events = runFarm(backlog);
  const seconds = (performance.now() - started) / 1_000;
  const rate = Math.round(events / seconds);
  process.stdout.write(`backlog ${backlog}: ${events} events, ${rate} events/s\n`);
}

/** Fills the backlog, then works: ask, heartbeat, outcomes, and a new task for each one done. */
function runFarm(backlog: number): number {
  const scheduler = new Scheduler(1n);
  let now = startAt;
  let events = 0;
  let stored = 0;
  const step = (event: Parameters<Scheduler["step"]>[0]) => {
    events += 1;
    return scheduler.step(event, now);
  };
  const store = () => {
    stored += 1;
    step({ kind: "task-stored", task: nextTask(stored), revision: BigInt(stored) });
  };

  step({ kind: "rebuilt" });
  for (let index = 0; index < backlog; index += 1) store();
  for (let round = 0; round < rounds; round += 1) {
    now += 1;
    const answer = step(askOf(round));
    const grant = answer.find((effect): effect is Grant => effect.kind === "grant");
    for (const { spec, fence } of grant?.leases ?? []) {
      if (spec === undefined) continue;
      const outcome = { spec, kind: OutcomeKind.SUCCEEDED, worker: "", fence, attempt: 1 };
      step({ kind: "outcome-seen", id: taskIdOf(spec), outcome });
      store();
    }
    step({ kind: "tick" });
  }
  return events;
}

function nextTask(count: number): QueuedTask {
  const width = count % 3 === 0 ? 128 : 64;
  return buildTask(count, { project: `p${count % projects}`, job: `j${count >> 5}`, width });
}

function askOf(round: number): Parameters<Scheduler["step"]>[0] {
  const worker = `w${round % workers}` as never;
  const pool = "default" as never;
  return { kind: "work-asked", ask: round, worker, pool, slotsFree: 8, epochSeen: 0n, running: [] };
}

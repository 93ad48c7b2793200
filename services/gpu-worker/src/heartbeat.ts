/** Tells the leader every beat that the worker lives and what it holds; this extends its leases. */
import type { Broker } from "@zfarm/broker";
import { WorkerState as Condition, type Heartbeat, limits, workerName } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { memoryThere } from "./config.ts";
import type { EngineInfo } from "./engine/protocol.ts";
import type { WorkerState } from "./worker-state.ts";

export interface HeartbeatNeeds {
  readonly state: WorkerState;
  readonly link: Pick<Broker["link"], "beat">;
  readonly engine: { problem(): string | undefined };
  readonly info: EngineInfo;
  readonly device: string;
  readonly node: string;
  readonly clock: Clock;
}

/** Beats until `stop` aborts, and once more then, so that the last state is known. */
export async function runHeartbeat(needs: HeartbeatNeeds, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const { news } = needs.state;
    needs.link.beat(buildHeartbeat(needs));
    // That it drains is said at once: the leader then answers the request it still holds.
    await needs.clock.sleep(limits.beatMs, AbortSignal.any([stop, news]));
  }
  needs.link.beat(buildHeartbeat(needs));
}

function buildHeartbeat({ state, engine, info, device, node, clock }: HeartbeatNeeds): Heartbeat {
  return {
    worker: {
      name: workerName(state.worker),
      pool: state.pool,
      state: chooseCondition(state, engine),
      device,
      model: info.name,
      modelDigest: info.digest,
      slots: state.slots,
      running: state.held.size,
      heartbeatTime: new Date(clock.now()),
      host: {
        node,
        memoryBytes: BigInt(memoryThere()),
        memoryFreeBytes: BigInt(process.availableMemory()),
      },
    },
    running: state.held.leased(),
  };
}

function chooseCondition(state: WorkerState, engine: HeartbeatNeeds["engine"]): Condition {
  if (state.isDraining) return Condition.DRAINING;
  if (engine.problem() !== undefined) return Condition.STARTING;
  return state.slotsFree > 0 ? Condition.READY : Condition.BUSY;
}

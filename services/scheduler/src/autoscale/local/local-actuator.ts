/**
 * Hands on this machine: `zfarm up`, which started the scheduler, starts and stops its workers too.
 * All that is known of them is there, so any scheduler that it starts goes on with what there is.
 */
import { FarmError } from "@zfarm/contract";
import type { Actuator, PoolFleet, PoolScaling, ScalingResult } from "../actuator.ts";
import type { SupervisorLink } from "./supervisor-link.ts";

export class LocalActuator implements Actuator {
  readonly name = "local";
  readonly #supervisor: Pick<SupervisorLink, "ask" | "isOpen" | "close">;

  constructor(supervisor: Pick<SupervisorLink, "ask" | "isOpen" | "close">) {
    this.#supervisor = supervisor;
  }

  async observe(stop: AbortSignal): Promise<readonly PoolFleet[]> {
    const reply = await this.#supervisor.ask({ kind: "observe" }, stop);
    if (reply.kind !== "observed") throw misunderstood(reply.kind);
    return reply.fleets;
  }

  async apply(scaling: PoolScaling, stop: AbortSignal): Promise<ScalingResult> {
    const { pool, desired, target, victims } = scaling;
    if (desired === target && victims.length === 0) return "unchanged";
    const request = { kind: "scale", pool, desired, target, victims } as const;
    const reply = await this.#supervisor.ask(request, stop);
    if (reply.kind !== "scaled") throw misunderstood(reply.kind);
    return reply.result;
  }

  problem(): string | undefined {
    return this.#supervisor.isOpen ? undefined : "the process that minds the workers is gone";
  }

  close(): Promise<void> {
    this.#supervisor.close();
    return Promise.resolve();
  }
}

function misunderstood(kind: string): FarmError {
  return new FarmError("INTERNAL", `the supervisor of this farm answered with ${kind}`);
}

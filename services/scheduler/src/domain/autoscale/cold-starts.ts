/**
 * How long workers take from being asked for to being ready, as 8 of 10 do: learnt apart for those
 * that found a machine and those for which one had to be made, and by phase.
 */
import { limits, type WorkerId } from "@zfarm/contract";
import { type FleetMember, type StartPhase, startPhases } from "./fleet.ts";

export const startKinds = ["warm_node", "new_node"] as const;

export type StartKind = (typeof startKinds)[number];

export class ColdStarts {
  /** Milliseconds, the newest last. */
  readonly #seen: Record<StartKind, number[]> = { warm_node: [], new_node: [] };
  readonly #phases: Record<StartPhase, number[]> = { node: [], image: [], weights: [], worker: [] };
  /** In which order kinds came: what the last ones were, the next one may well be. */
  readonly #all: number[] = [];
  #counted = new Set<WorkerId>();

  /** Takes the starts that have ended since the last look. */
  learn(members: readonly FleetMember[]): void {
    const present = new Set<WorkerId>();
    for (const member of members) {
      if (member.readyAt === undefined) continue;
      present.add(member.worker);
      if (!this.#counted.has(member.worker)) this.#note(member, member.readyAt);
    }
    this.#counted = present;
  }

  /** Milliseconds from asking for a worker to its first picture; of any kind without one. */
  expected(kind?: StartKind): number {
    const known = kind === undefined ? this.#all : this.#seen[kind];
    return mostOf(known) ?? mostOf(this.#all) ?? limits.autoscaleColdStartMs;
  }

  /** What was measured of a kind; undefined before the first. */
  measured(kind: StartKind): number | undefined {
    return mostOf(this.#seen[kind]);
  }

  /** What was measured of a phase, whatever the kind; undefined before the first. */
  measuredPhase(phase: StartPhase): number | undefined {
    return mostOf(this.#phases[phase]);
  }

  #note({ createdAt, isOnNewNode, phases = {} }: FleetMember, readyAt: number): void {
    const { autoscaleColdStartMsMin: min, autoscaleColdStartMsMax: max } = limits;
    const tookMs = Math.min(Math.max(readyAt - createdAt, min), max);
    for (const list of [this.#all, this.#seen[isOnNewNode === true ? "new_node" : "warm_node"]]) {
      keep(list, tookMs);
    }
    for (const phase of startPhases) {
      const ms = phases[phase];
      if (ms !== undefined) keep(this.#phases[phase], ms);
    }
  }
}

function keep(list: number[], ms: number): void {
  list.push(ms);
  if (list.length > limits.autoscaleColdStarts) list.shift();
}

/** Within which 8 of 10 were; undefined of none. */
function mostOf(times: readonly number[]): number | undefined {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.ceil(0.8 * sorted.length) - 1];
}

export function startKindOf({ isOnNewNode }: FleetMember): StartKind | undefined {
  if (isOnNewNode === undefined) return undefined;
  return isOnNewNode ? "new_node" : "warm_node";
}

/** Joins waiting tasks and asking workers: a grant is one batch of one shape for one worker. */
import { type Lease, limits } from "@zfarm/contract";
import { closeAsk } from "./ask-rules.ts";
import { type Choice, chooseGrant, mayPass, mayTake, rankOf } from "./choose-grant.ts";
import { charge } from "./cost-rules.ts";
import type { FarmState } from "./farm-state.ts";
import { holdLease } from "./lease-rules.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { LoraState } from "./shelf.ts";
import { noteShelf } from "./shelf-rules.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { LeaseEntry } from "./trial.ts";

/** Serves the pools that changed, once grants may be made; until then they stay on the list. */
export function dispatchTouched(state: FarmState): void {
  if (!state.mayGrant) return;
  for (const pool of state.touched) dispatch(state, pool);
  state.touched.clear();
}

function dispatch(state: FarmState, pool: PoolEntry): void {
  if (pool.policy?.draining === true) return;
  for (;;) {
    const choice = chooseGrant(state, pool);
    if (choice === undefined) return;
    grant(state, pool, choice);
  }
}

/** Answers one request with the lot that was chosen and what may go along with it. */
function grant(state: FarmState, pool: PoolEntry, { lot, ask, reason }: Choice): void {
  const { worker } = ask;
  const { shape } = lot;
  const batch = new Batch(state, pool, { lot, ask, reason });
  closeAsk(state, ask);
  const leases: Lease[] = [];
  const held: LeaseEntry[] = [];
  const waitedMs: number[] = [];
  for (let next = batch.next(); next !== undefined; next = batch.next()) {
    const { spec, waitingSince } = next;
    waitedMs.push(state.elapsedMs - waitingSince);
    const loraState = batch.loraStateOf(next.lot);
    const predictedMs = state.costs.predict({ pool: pool.id, shape, lora: loraState });
    // Charged before it leaves the lane, and so that the next one is chosen by what this one cost.
    charge(next, predictedMs, state.elapsedMs - waitingSince);
    const fence = state.nextFence();
    const terms = { worker, fence, predictedMs, chargedMs: predictedMs, loraState };
    const lease = holdLease(state, next, terms);
    held.push(lease);
    leases.push({ spec, fence, attempt: lease.attempt, latents: next.trial?.latents });
  }
  // The tasks of a batch run side by side and are done together.
  for (const lease of held) lease.dueAt = worker.busyUntil;
  const placements = batch.close();
  if (placements.includes("cold")) pool.coldStarts.add(1);
  else if (placements.length > 0) pool.warmStarts.add(1);
  const predictedMs = held.map((lease) => lease.predictedMs);
  const answer = { ask: ask.ask, worker: worker.id, shape, leases, placements };
  state.emit({ kind: "grant", reason, ...answer, waitedMs, predictedMs });
}

/** Fills one grant task by task; each choice sees what the ones before it cost their projects. */
class Batch {
  readonly #state: FarmState;
  readonly #pool: PoolEntry;
  readonly #choice: Choice;
  readonly #size: number;
  readonly #loraStates = new Map<string, LoraState>();
  #rankLeft: number;
  #taken = 0;

  constructor(state: FarmState, pool: PoolEntry, choice: Choice) {
    this.#state = state;
    this.#pool = pool;
    this.#choice = choice;
    this.#rankLeft = choice.ask.worker.rankBudget;
    this.#size = sizeOf(pool, choice);
  }

  /** The next task of the batch; the lot that was chosen gives the first one. */
  next(): TaskEntry | undefined {
    if (this.#taken === this.#size) return undefined;
    const lot = this.#taken === 0 ? this.#choice.lot : this.#chooseNext();
    const entry = lot?.first;
    if (lot === undefined || entry === undefined) return undefined;
    this.#taken += 1;
    this.#admit(lot);
    return entry;
  }

  loraStateOf(lot: Lot): LoraState {
    if (lot.adapters.length === 0) return "none";
    return this.#loraStates.get(stackOf(lot)) ?? "none";
  }

  /** Notes on the worker's shelf what was granted; gives one word for each stack. */
  close(): LoraState[] {
    return [...this.#loraStates.values()];
  }

  /** Of the lots of the shape the one whose project is next, without any that must load more. */
  #chooseNext(): Lot | undefined {
    const { lot: head } = this.#choice;
    // Its own lot need not be among the first of the shape.
    let best = head.lane !== undefined && this.#fits(head) ? head : undefined;
    let bestLead = best === undefined ? Number.POSITIVE_INFINITY : this.#pool.line.leadOf(head);
    let left: number = limits.placementScanMax;
    for (const lot of this.#pool.line.ofShape(head.shape)) {
      if (left === 0) break;
      left -= 1;
      if (!this.#fits(lot)) continue;
      const lead = this.#pool.line.leadOf(lot);
      const isNext = lead < bestLead || (lead === bestLead && isBefore(lot, best));
      if (isNext) [best, bestLead] = [lot, lead];
    }
    return best;
  }

  #fits(lot: Lot): boolean {
    const { lot: head, ask } = this.#choice;
    if (lot.runsAlone || !mayTake(this.#state, lot, ask.worker)) return false;
    if (!mayPass(this.#pool, lot, { head, savesMs: Number.POSITIVE_INFINITY })) return false;
    if (lot.adapters.length === 0 || this.#loraStates.has(stackOf(lot))) return true;
    return rankOf(lot) <= this.#rankLeft && ask.worker.shelf?.loadMs(lot.adapters) === 0;
  }

  /** The first task of a stack in the batch brings its ranks, and its bytes where it is cold. */
  #admit(lot: Lot): void {
    if (lot.adapters.length === 0) return;
    const { worker } = this.#choice.ask;
    const stack = stackOf(lot);
    if (this.#loraStates.has(stack)) return;
    this.#rankLeft -= rankOf(lot);
    this.#loraStates.set(stack, worker.shelf?.loadMs(lot.adapters) === 0 ? "warm" : "cold");
    noteShelf(worker, lot.adapters);
  }
}

/** Where several workers ask, the tasks at hand are spread: idle capacity needs no batches. */
function sizeOf(pool: PoolEntry, { lot, ask }: Choice): number {
  if (lot.runsAlone) return 1;
  const room = Math.min(ask.slotsFree, limits.batchTasksMax);
  return Math.min(room, Math.max(1, Math.ceil(pool.line.size / pool.asks.size)));
}

/** Of two lots of one project: whether the lane of the first is next, or it is so in their lane. */
function isBefore(one: Lot, other: Lot | undefined): boolean {
  if (other === undefined || one.job.project !== other.job.project) return false;
  if (one.lane === other.lane) return one.lane?.isBefore(one, other) === true;
  return (one.lane?.turn.pass ?? 0) < (other.lane?.turn.pass ?? 0);
}

function stackOf(lot: Lot): string {
  return lot.adapters.map(({ digest, weight }) => `${digest}*${weight}`).join(" ");
}

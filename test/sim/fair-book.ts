/**
 * Fair shares, kept in integers of device time: while the same projects wait, what each was given
 * per weight may differ by a bound that does not grow with time.
 */
import { limits } from "@zfarm/contract";
import type { SimOptions } from "./case.ts";

interface Account {
  readonly project: string;
  readonly weight: number;
  waiting: number;
  /** Device milliseconds granted since the window began. */
  servedMs: number;
}

export class FairBook {
  readonly #accounts = new Map<string, Account>();
  readonly #weights: readonly number[];
  readonly #boundMs: number;
  readonly #stepMs: number;
  /** The projects that wait; a window ends with every change. */
  #window = "";
  /** Windows in which much more was given than the bound: the others prove nothing. */
  longWindows = 0;
  #isLong = false;

  constructor(options: SimOptions) {
    this.#weights = options.weights;
    this.#stepMs = options.stepMs;
    const unitMs = options.stepMs * 8;
    // The lead that batches and warm adapters may take, the two units of any fair queue, and what
    // was charged as predicted and not yet put right: a unit for each slot.
    const inFlightMs = unitMs * options.workers * options.slots;
    this.#boundMs = limits.fairLeadMs + 2 * unitMs * limits.batchTasksMax + inFlightMs;
  }

  stored(project: string): void {
    const account = this.#open(project);
    account.waiting += 1;
    if (account.waiting === 1) this.#restart();
  }

  /** Gives what is wrong; undefined while shares are fair. */
  granted(project: string, steps: number): string | undefined {
    const account = this.#open(project);
    account.waiting -= 1;
    account.servedMs += steps * this.#stepMs;
    const unfair = this.#judge();
    if (account.waiting === 0) this.#restart();
    return unfair;
  }

  #judge(): string | undefined {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    let waiting = 0;
    for (const { weight, servedMs, waiting: tasks } of this.#accounts.values()) {
      if (tasks === 0) continue;
      waiting += 1;
      least = Math.min(least, Math.floor(servedMs / weight));
      most = Math.max(most, Math.floor(servedMs / weight));
    }
    if (waiting < 2) return undefined;
    if (!this.#isLong && most > 3 * this.#boundMs) {
      this.#isLong = true;
      this.longWindows += 1;
    }
    if (most - least <= this.#boundMs) return undefined;
    return `${this.#window}: between ${least} and ${most} ms per weight, bound ${this.#boundMs} ms`;
  }

  #restart(): void {
    const waiting: string[] = [];
    for (const account of this.#accounts.values()) {
      account.servedMs = 0;
      if (account.waiting > 0) waiting.push(account.project);
    }
    this.#window = waiting.join(" ");
    this.#isLong = false;
  }

  #open(project: string): Account {
    let account = this.#accounts.get(project);
    if (account === undefined) {
      const weight = this.#weights[Number(project.slice(1))] ?? 1;
      account = { project, weight, waiting: 0, servedMs: 0 };
      this.#accounts.set(project, account);
    }
    return account;
  }
}

/**
 * The Horizontal Pod Autoscaler with its defaults over one external metric with an average value:
 * 15 s, tolerance 0.1, up by the larger of 4 pods and 100 % each 15 s, down after 300 s.
 */
import type { FarmSight, Scaler } from "./scaler.ts";

export interface HpaOptions {
  /** The metric, and how much of it one pod should have. */
  readonly metric: (sight: FarmSight) => number;
  readonly target: number;
  readonly max: number;
  /** KEDA takes over between 0 and 1: looks each 30 s, and waits 300 s before zero. */
  readonly keda?: boolean;
}

const everyMs = 15_000;
const stabilizationMs = 300_000;
const pollMs = 30_000;
const cooldownMs = 300_000;
const tolerance = 0.1;

export class Hpa implements Scaler {
  readonly everyMs = everyMs;
  readonly #options: HpaOptions;
  #wishes: { readonly at: number; readonly replicas: number }[] = [];
  #activeAt = Number.NEGATIVE_INFINITY;

  constructor(options: HpaOptions) {
    this.#options = options;
  }

  tick(sight: FarmSight): void {
    const { cluster, now } = sight;
    const { metric, target, max, keda = false } = this.#options;
    const total = metric(sight);
    if (keda && now % pollMs === 0) this.#activate(sight, total);
    const current = cluster.replicas;
    if (current === 0) {
      if (!keda) cluster.replicas = 1;
      return;
    }
    const ratio = total / (target * current);
    const wished = Math.abs(1 - ratio) <= tolerance ? current : Math.ceil(total / target);
    const bounded = Math.min(Math.max(wished, 1), max);
    this.#wishes = this.#wishes.filter(({ at }) => at > now - stabilizationMs);
    this.#wishes.push({ at: now, replicas: bounded });
    if (bounded > current) cluster.replicas = Math.min(bounded, Math.max(2 * current, current + 4));
    else cluster.replicas = Math.min(current, Math.max(...this.#wishes.map((one) => one.replicas)));
  }

  #activate({ cluster, now }: FarmSight, total: number): void {
    if (total > 0) {
      this.#activeAt = now;
      if (cluster.replicas === 0) cluster.replicas = 1;
    } else if (now - this.#activeAt >= cooldownMs) cluster.replicas = 0;
  }
}

/** Messages that nobody has finished, as a JetStream consumer counts them. */
export function lag({ waiting, running }: FarmSight): number {
  return waiting.length + running;
}

/** Workers that the arrivals of the last minute keep busy. */
export function busyByRate({ arrived, now, meanCostMs }: FarmSight): number {
  let count = 0;
  for (let place = arrived.length - 1; place >= 0; place -= 1) {
    const task = arrived[place];
    if (task === undefined || task.arrivedAt < now - 60_000) break;
    count += 1;
  }
  return (count * meanCostMs) / 60_000;
}

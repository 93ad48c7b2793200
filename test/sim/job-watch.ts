/**
 * A client that watches a job through streams that break: each time it goes on behind the last
 * outcome it was given. It must be told of every outcome once and in order.
 */
import type { JobRecord, Outcome } from "@zfarm/contract";
import { type GatewayModel, keyOfJob } from "./gateway-model.ts";
import type { Follower, Stored } from "./log-model.ts";
import type { World } from "./world.ts";

/** A stream that has said nothing for so long is taken for dead. */
const silentMs = 4_000;

export class JobWatch {
  readonly record: JobRecord;
  readonly seen = new Set<string>();
  /** Since it was told from the start, in order: what the token stands for. */
  #told: string[] = [];
  readonly #world: World;
  readonly #gateways: readonly GatewayModel[];
  /** A stream breaks after so many outcomes. */
  readonly #breakAfter: number;
  #token = 0n;
  #stream = 0;
  #turns: number;

  constructor(
    world: World,
    gateways: readonly GatewayModel[],
    watch: { record: JobRecord; client: number; value: number },
  ) {
    this.record = watch.record;
    this.#world = world;
    this.#gateways = gateways;
    this.#breakAfter = 1 + (watch.value % 4);
    this.#turns = watch.client;
    this.#open();
  }

  get isComplete(): boolean {
    return this.seen.size === this.record.taskCount;
  }

  #open(): void {
    if (this.isComplete) return;
    const { kernel, broker } = this.#world;
    this.#stream += 1;
    this.#turns += 1;
    const stream = this.#stream;
    const gateway = this.#gateways[this.#turns % this.#gateways.length];
    kernel.after(silentMs, () => {
      if (this.#stream === stream) this.#open();
    });
    if (gateway?.proc.isUp !== true) return;
    const prefix = `${keyOfJob(this.record)}.`;
    this.#checkToken(prefix);
    const after = this.#token;
    let left = this.#breakAfter;
    // From the start even when resuming, as the gateway does: it counts how many have ended.
    const follower: Follower<Outcome> = broker.outcomes.follow(gateway.proc, 0n, {
      filter: (key) => key.startsWith(prefix),
      onEntry: (entry) => {
        if (entry.revision <= after || this.#stream !== stream || left === 0) return;
        left -= 1;
        kernel.after(2, () => this.#take(entry, stream));
        if (left > 0) return;
        follower.isStopped = true;
        kernel.after(50, () => {
          if (this.#stream === stream) this.#open();
        });
      },
      onCaughtUp: () => undefined,
    });
  }

  /** A token that does not stand for what is in the log is of before a loss. */
  #checkToken(prefix: string): void {
    const { broker, oracle } = this.#world;
    const before = [...broker.outcomes.before(this.#token + 1n)];
    const told = before.flatMap(({ key }) => (key.startsWith(prefix) ? [key] : []));
    if (told.join() === this.#told.join()) return;
    oracle.mark("watch-told-anew");
    this.#token = 0n;
    this.#told = [];
  }

  #take(entry: Stored<Outcome>, stream: number): void {
    // What a broken stream still carries is lost; the next one brings it again.
    if (this.#stream !== stream) return;
    const { oracle } = this.#world;
    if (this.#told.includes(entry.key)) {
      oracle.violate("I16", `a watch was told twice of ${entry.key}`);
    }
    if (entry.revision <= this.#token) oracle.violate("I16", `${entry.key} came out of order`);
    this.#token = entry.revision;
    this.#told.push(entry.key);
    this.seen.add(entry.key);
  }
}

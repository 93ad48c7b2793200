/** Load on a farm that is being broken: clients that submit, insist, and watch until the end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FarmClient } from "@zfarm/client";
import type { ImageSpec } from "@zfarm/contract";
import type { Random } from "../random.ts";
import type { History } from "./history.ts";
import { RecordingClient } from "./recording-client.ts";

export interface LoadOptions {
  readonly client: FarmClient;
  readonly history: History;
  readonly random: Random;
  /** Clients that work at the same time. */
  readonly lanes: number;
  /** Tasks to ask for; the load ends when they ended. */
  readonly tasks: number;
  readonly tasksPerJobMax?: number;
  /** Share of jobs that are a single render whose caller waits for the bytes. */
  readonly renderShare?: number;
  /** Aborts: nothing new is asked for; what was accepted is still watched to its end. */
  readonly enough?: AbortSignal;
  /** Aborts: the clients give up, and what has not ended is lost. */
  readonly stop: AbortSignal;
}

export interface LoadReport {
  readonly tasks: number;
  readonly jobs: number;
  /** How often which error reached a client. */
  readonly errors: Readonly<Record<string, number>>;
}

const againMs = 200;
const shapes = [
  { width: 64, height: 64, steps: 2 },
  { width: 96, height: 64, steps: 3 },
] as const;

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const load = new Load(options);
  await Promise.all(Array.from({ length: options.lanes }, (_, lane) => load.runLane(lane)));
  return { tasks: load.tasks, jobs: load.jobs, errors: load.client.errors };
}

/** A spec with every field set, so that its picture is known before it is drawn. */
export function createSpec(random: Random, prompt = "a red house"): ImageSpec & { seed: bigint } {
  return { prompt, ...random.pick(shapes), loras: [], seed: BigInt(random.below(2 ** 31)) };
}

class Load {
  readonly client: RecordingClient;
  readonly #options: LoadOptions;
  tasks = 0;
  jobs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.client = new RecordingClient(options);
  }

  async runLane(lane: number): Promise<void> {
    const { random, tasks, tasksPerJobMax = 20, renderShare = 0.3, enough, stop } = this.#options;
    const draws = random.fork(`lane ${lane}`);
    for (let count = 0; this.tasks < tasks; count += 1) {
      if (stop.aborted || enough?.aborted === true) return;
      const requestId = `lane-${lane}-${count}-${draws.below(2 ** 31)}`;
      const isRender = draws.next() < renderShare;
      const size = isRender ? 1 : Math.min(draws.between(1, tasksPerJobMax), tasks - this.tasks);
      this.tasks += size;
      this.jobs += 1;
      const images = Array.from({ length: size }, () => createSpec(draws));
      if (isRender) await this.#insistOnPicture(requestId, images[0] ?? createSpec(draws));
      else await this.#submitAndWatch(requestId, images);
    }
  }

  async #submitAndWatch(requestId: string, images: readonly ImageSpec[]): Promise<void> {
    const job = this.client.invoke(requestId, images);
    if (await this.client.submit(job, { requestId, images })) await this.client.watch(job);
  }

  /** When its connection breaks, the caller asks for a new picture. */
  async #insistOnPicture(requestId: string, spec: ImageSpec): Promise<void> {
    for (let count = 0; !this.#options.stop.aborted; count += 1) {
      if (await this.client.render(`${requestId}-${count}`, spec)) return;
      await sleep(againMs);
    }
  }
}

/** What a farm on a cluster costs its machine and the API server, phase by phase. */
import { readCpuSeconds, readResidentBytes } from "../bench/bench-farm.ts";
import { autoscalerUser, type MirroredFarm } from "./mirrored-farm.ts";

export interface PhaseFigures {
  readonly seconds: number;
  /** Of a core, over the phase. */
  readonly cores: Readonly<Record<ProcessName, number>>;
  /** What the autoscaler asked of the API server, by verb and resource. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface ScaleFigures {
  readonly phases: Readonly<Record<string, PhaseFigures>>;
  /** The most that each held when somebody looked. */
  readonly mib: Readonly<Record<ProcessName | "controlPlane", number>>;
}

const processNames = ["scheduler", "gateway", "nats", "mirror"] as const;
type ProcessName = (typeof processNames)[number];

interface Moment {
  /** Milliseconds since the epoch, as the audit log has them. */
  readonly at: number;
  readonly cpu: Record<ProcessName, number>;
}

export class ScaleMeter {
  readonly #on: MirroredFarm;
  readonly #phases: [name: string, from: Moment, to: Moment][] = [];
  readonly #mib = { scheduler: 0, gateway: 0, nats: 0, mirror: 0, controlPlane: 0 };
  #last: Moment;

  private constructor(on: MirroredFarm, begin: Moment) {
    this.#on = on;
    this.#last = begin;
  }

  static async begin(on: MirroredFarm): Promise<ScaleMeter> {
    return new ScaleMeter(on, await momentOf(on));
  }

  /** What was since the phase before is this phase. */
  async end(phase: string): Promise<void> {
    const now = await momentOf(this.#on);
    this.#phases.push([phase, this.#last, now]);
    this.#last = now;
    const seconds = ((now.at - (this.#phases.at(-1)?.[1].at ?? 0)) / 1_000).toFixed(1);
    process.stderr.write(`${phase}: ${seconds} s\n`);
  }

  /** Looks at the memory of everybody. */
  async look(): Promise<void> {
    const { schedulers, gateway, farm, mirrorPid, cluster } = this.#on;
    const plane = Object.values(await cluster.plane.residentBytes());
    const bytes = {
      scheduler: Math.max(...(await Promise.all(schedulers.map((one) => one.residentBytes())))),
      gateway: await gateway.residentBytes(),
      nats: await readResidentBytes(farm.nats.pid ?? 0),
      mirror: await readResidentBytes(mirrorPid),
      controlPlane: plane.reduce((sum, one) => sum + one, 0),
    };
    for (const name of [...processNames, "controlPlane"] as const) {
      this.#mib[name] = Math.max(this.#mib[name], Math.round(bytes[name] / 2 ** 20));
    }
  }

  async figures(): Promise<ScaleFigures> {
    const audited = await this.#on.cluster.plane.audit();
    const own = audited.filter(({ user }) => user === autoscalerUser);
    const phases = this.#phases.map(([name, from, to]) => {
      const asked = own.filter(({ at }) => at >= from.at && at < to.at);
      return [
        name,
        phaseOf(
          from,
          to,
          asked.map(({ verb, resource }) => `${verb} ${resource}`),
        ),
      ];
    });
    return { ...Object.fromEntries(phases), mib: this.#mib };
  }
}

async function momentOf({ schedulers, gateway, farm, mirrorPid }: MirroredFarm): Promise<Moment> {
  const ofSchedulers = await Promise.all(schedulers.map((one) => one.cpuSeconds()));
  const cpu = {
    // Not known once one of them was killed.
    scheduler: ofSchedulers.reduce((sum, one) => sum + one, 0),
    gateway: await gateway.cpuSeconds(),
    nats: await readCpuSeconds(farm.nats.pid ?? 0),
    mirror: await readCpuSeconds(mirrorPid),
  };
  return { at: Date.now(), cpu };
}

function phaseOf(from: Moment, to: Moment, asked: readonly string[]): PhaseFigures {
  const seconds = (to.at - from.at) / 1_000;
  const shares = processNames.map((name) => [name, (to.cpu[name] - from.cpu[name]) / seconds]);
  const cores = Object.fromEntries(
    shares.map(([name, share]) => [name, Math.round(Number(share) * 100) / 100]),
  ) as PhaseFigures["cores"];
  const requests: Record<string, number> = {};
  for (const what of asked) requests[what] = (requests[what] ?? 0) + 1;
  return { seconds: Math.round(seconds * 10) / 10, cores, requests };
}

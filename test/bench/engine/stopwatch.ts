/** Wall and processor time of something; the latter tells work apart from waiting for a core. */
export interface Timed {
  readonly seconds: number;
  /** Seconds of all cores together. */
  readonly coreSeconds: number;
}

export async function timed<Result>(work: () => Promise<Result>): Promise<[Result, Timed]> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startMs) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  return [result, { seconds: round(seconds), coreSeconds: round((user + system) / 1e6) }];
}

export function round(value: number, digits = 3): number {
  return Number(value.toPrecision(digits + 1));
}

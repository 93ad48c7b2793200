/** Kills whoever leads, once while a farm grows and once while it shrinks. */
import type { MirrorCounts } from "./mirror.ts";
import type { MirroredFarm } from "./mirrored-farm.ts";

/** To be told of the pods now and then. @param workers That it grows to. */
export function killLeaders(on: MirroredFarm, workers: number): (counts: MirrorCounts) => void {
  // One stands by for each that is killed.
  on.addScheduler();
  let killed = 0;
  const kill = ({ workers: now }: MirrorCounts): void => {
    on.schedulers[killed]?.kill();
    on.addScheduler();
    killed += 1;
    process.stderr.write(`a leader is killed with ${now} workers\n`);
  };
  return (counts) => {
    const hasGrown = counts.podsMost === workers;
    if (killed === 0 && counts.workers > workers / 3) kill(counts);
    if (killed === 1 && hasGrown && counts.dismissed > workers / 3) kill(counts);
  };
}

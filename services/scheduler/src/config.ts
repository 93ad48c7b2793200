/** The scheduler's settings; everything else about it is a limit of the contract. */
import { type Env, EnvReader } from "@zfarm/runtime";

export interface SchedulerConfig {
  /** Who stands for leadership, for operators who look at the lease. */
  readonly candidate: string;
}

/** SCHEDULER_ID. */
export function readScheduler(reader: EnvReader): SchedulerConfig {
  const candidate = reader.text("SCHEDULER_ID", {
    default: "scheduler",
    pattern: /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/,
    rule: "1 to 63 of A-Z a-z 0-9 . -, starting with a letter or digit",
  });
  return { candidate };
}

export function readSchedulerConfig(env: Env): SchedulerConfig {
  const reader = new EnvReader(env);
  const config = readScheduler(reader);
  reader.finish();
  return config;
}

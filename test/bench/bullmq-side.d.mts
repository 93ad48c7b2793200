/** Types of bullmq-side.mjs. */
import type { JobSide } from "./job-side.ts";

export interface FoundRedis {
  readonly path: string;
  readonly version: string;
}

export declare function findRedis(): Promise<FoundRedis | undefined>;

/** `readCpuSeconds` gives what a process has used. */
export declare function openBullMqSide(
  redis: FoundRedis,
  concurrency: number,
  readCpuSeconds: (pid: number) => Promise<number>,
): Promise<JobSide>;

/** Types of bullmq-side.mjs. */
import type { JobSide } from "./job-side.ts";

export interface FoundRedis {
  readonly path: string;
  readonly version: string;
}

export declare function findRedis(): Promise<FoundRedis | undefined>;

export declare function openBullMqSide(redis: FoundRedis, concurrency: number): Promise<JobSide>;

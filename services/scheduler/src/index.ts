/** The scheduler: decides which worker renders which task, and what becomes of failed attempts. */
export { readSchedulerConfig, type SchedulerConfig } from "./config.ts";
export { wireScheduler } from "./wire-scheduler.ts";

/** Bounds of the autoscaler, each with its reason; `limits` spreads them. */
export const autoscaleLimits = {
  /** How often it decides: far below what a worker needs to start. */
  autoscaleTickSecondsDefault: 5,
  autoscaleTickSecondsMax: 60,
  /** Pools of one file: each is a Deployment that somebody keeps. */
  autoscalePoolsMax: 64,
  autoscaleFileBytesMax: 262_144,
  /** Devices of all pools, and of one worker. */
  autoscaleGpusMax: 100_000,
  autoscaleGpusPerWorkerMax: 16,
  autoscaleWeightMax: 1_000,
  /** Workers that a pool may have where its file does not say. */
  autoscaleWorkersMaxDefault: 10,
  /** Within which time waiting tasks of each class should start, where the file does not say. */
  autoscaleInteractiveSeconds: 30,
  autoscaleStandardSeconds: 120,
  autoscaleBatchSeconds: 900,
  autoscaleStartSecondsMax: 86_400,
  /** A pool that had no work for so long may go to zero. */
  autoscaleIdleSecondsDefault: 600,
  autoscaleIdleSecondsMax: 86_400,
  /** Tasks of one job from this index on count as backlog, not as a rate that goes on. */
  autoscaleBulkTasks: 8,
  /** What a start takes before one was seen: a node that exists, an image and 20 GB of weights. */
  autoscaleColdStartMs: 120_000,
  autoscaleColdStartMsMin: 1_000,
  autoscaleColdStartMsMax: 1_800_000,
  /** Starts of one kind that are remembered: the newest ones say what the next one takes. */
  autoscaleColdStarts: 20,
  /** How fast the forecast follows the rate of arrivals, and its trend. */
  autoscaleLevelMs: 20_000,
  /** The larger tasks are the slower: over the time of so many of them, up to a bound. */
  autoscaleLevelTasks: 10,
  autoscaleLevelMsMax: 120_000,
  autoscaleTrendMs: 120_000,
  /** The forecast is at least and at most so many times what comes now. */
  autoscaleTrendMin: 0.5,
  autoscaleTrendMax: 2,
  /** Room for chance, in standard deviations of what comes within a target's time. */
  autoscaleSwings: 3,
  /** Share of a worker's time that pictures get; the rest goes to asking and delivering. */
  autoscaleEfficiency: 0.95,
  /** Nothing goes down within this time of the highest wish, or within two cold starts. */
  autoscaleHoldMs: 180_000,
  autoscaleHoldSecondsMax: 86_400,
  /** A step down takes at most this part of the workers, and the next one comes no sooner. */
  autoscaleStepDown: 0.3,
  autoscaleStepMs: 15_000,
  /** Work comes so many times faster than all workers can do: nothing goes down for a while. */
  autoscalePanicFactor: 2,
  autoscalePanicTasks: 5,
  autoscalePanicMs: 60_000,
  /** Workers that nothing can take for so long are not asked for once more. */
  autoscaleUnschedulableMs: 60_000,
  /** Workers that fail to start within the window, from which on no more are started for a time. */
  autoscaleCrashes: 3,
  autoscaleCrashWindowMs: 600_000,
  autoscaleFreezeMs: 60_000,
  autoscaleFreezeMsMax: 1_800_000,
  /** Ticks for which the last sight of the workers is good. */
  autoscaleStaleTicks: 3,
  /** A worker that was to go first and is still there after this is put to work again. */
  autoscaleLeaveMs: 120_000,
} as const;

/** Bounds of a farm on one machine whose workers come and go with the load; a part of `limits`. */
export const localFarmLimits = {
  /** More engines than this on one machine only take each other's processors. */
  localWorkersMax: 64,
  /** The supervisor answers from memory: later than this it is stopped or gone. */
  localHandsMs: 5_000,
  /** Between two looks at a worker that was ready; one that starts is looked at all the time. */
  localProbeMs: 1_000,
  /** Starts in a row without being ready, from which on a worker counts as one that fails. */
  localStartsMax: 4,
  /** A worker starts in seconds here, so the autoscaler looks, holds and waits for seconds. */
  localTickSeconds: 1,
  localHoldSeconds: 10,
  /** The last worker goes after this: time to look at a picture and to write the next prompt. */
  localIdleSeconds: 60,
  /** Within which time waiting tasks of each class should start: devices that idle cost nothing. */
  localInteractiveSeconds: 2,
  localStandardSeconds: 10,
  localBatchSeconds: 60,
} as const;

/** Bounds of what operators may want, a part of `limits`. */

export const fleetLimits = {
  /** A thousandfold share is as good as all of it. */
  projectWeightMax: 1_000,
  /** Running tasks of a project: every batch of every worker. */
  projectRunningMax: 80_000,
  /** Below this, half of all ordinary tasks would be tried twice; above, none ever is. */
  speculateAfterMin: 1.5,
  speculateAfterMax: 100,
  /** Workers that one question about victims names. */
  victimsMax: 1_000,
  /** Why a worker is locked or put aside: one line of a table. */
  fleetReasonCharsMax: 128,
  /** What is to be out for longer than this is for removing. */
  handQuarantineMsMax: 30 * 24 * 3_600_000,
  /** Projects that one look at the queue tells of each pool: what a screen shows. */
  queueProjectsDefault: 10,
  queueProjectsMax: 100,
  /** A look at the queue takes 50 ms where 200,000 jobs wait: many lookers share one. */
  queueStatsEveryMs: 2_000,
  /** What projects used this long ago counts half: long enough to be calm, short enough to show. */
  recentUseHalfMs: 300_000,
} as const;

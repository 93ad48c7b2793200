/** Bounds of the adapters that a worker holds, each with its reason; part of `limits`. */
export const shelfLimits = {
  /** Adapters the leader remembers of one worker's shelf: many times what fits on a device. */
  shelfItemsMax: 256,
  /** Adapters that one worker fetches from the store at one time; of each a piece is in memory. */
  loraFetchesMax: 2,
  /** Bytes of an adapter fetched in one request: half a megabyte a second is fast enough. */
  loraPieceBytes: 8_388_608,
  /** Reading one adapter's file and laying it out; a gigabyte from a slow disk takes a minute. */
  loraLoadMs: 90_000,
  /** A half-fetched file this old belongs to a worker that is gone. */
  loraDraftMs: 600_000,
  /**
   * Sum of ranks in one batch. A run of the engine takes 128 ranks or one picture, whatever its
   * ranks; more only make more runs of a step.
   */
  loraRanksDefault: 256,
  loraRanksMax: 2_048,
  /** Bytes of adapters on a worker's disk, and in the memory of its engine. */
  loraDiskBytesDefault: 10_737_418_240,
  loraDiskBytesMax: 1_099_511_627_776,
  loraRamBytesDefault: 2_147_483_648,
  /** A small machine needs its memory for the model: adapters get one part of so many at most. */
  loraRamShare: 16,
  loraRamBytesMax: 1_099_511_627_776,
} as const;

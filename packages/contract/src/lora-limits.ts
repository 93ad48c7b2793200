/** Bounds of adapters and their registry, each with its reason; part of `limits`. */
export const loraLimits = {
  /** Adapters of one picture: what clients can mix and still tell what each does. */
  imageLorasMax: 4,
  /** Beyond this an adapter breaks the picture; negative weights turn its effect around. */
  loraWeightMax: 2,
  /** Bytes of one adapter's file: the 6B model's at rank 128 in 16 bits take 0.76 GB. */
  loraBytesMax: 1_073_741_824,
  /** Bytes of a file that a client sends in one message. */
  loraChunkBytes: 262_144,
  /** Files that one gateway takes in at once: bounds its temporary disk to 8 GiB. */
  loraUploadsMax: 8,
  /** An upload without a deadline gets this one: 1 GiB at 5 Mbit/s. */
  loraUploadMs: 30 * 60_000,
  /** An upload that sends nothing for so long is given up: it holds a place and disk. */
  loraUploadIdleMs: 30_000,
  /** Adapters of one project, deleted ones included, and of the farm: each is one record. */
  projectLorasMax: 1_000,
  lorasMax: 50_000,
  /** Versions of one adapter: with the longest reports too they fit one message of the broker. */
  loraVersionsMax: 100,
  loraAliasesMax: 32,
  loraLabelsMax: 32,
  loraLabelCharsMax: 128,
  triggerWordsMax: 32,
  triggerWordCharsMax: 128,
  /** Warnings of a report and characters of each that are kept: the file decides what they say. */
  loraWarningsMax: 32,
  loraReportCharsMax: 256,
  /** Heap of a thread that looks at a file; its numbers lie outside of it, one tensor at a time. */
  loraGateHeapMegabytes: 256,
  /** Deleted versions are remembered as long as a job that used them may be tried again. */
  loraKeepMs: 14 * 24 * 3_600_000,
  /** How often the leader looks for files of adapters that were deleted long ago. */
  loraSweepEveryMs: 3_600_000,
  /** Workers that one prefetch may ask for. */
  prefetchWorkersMax: 1_000,
  /** How long a gateway uses what it knows of a project's files: it must hear of changes soon. */
  loraKnownMs: 1_000,
  /** Projects whose files one gateway remembers, those asked for last. */
  loraProjectsKnownMax: 100,
} as const;

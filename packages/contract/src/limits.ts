/**
 * Every bound of the farm in one place, with its reason. Units are in the names. Proto comments,
 * error texts and documentation quote these numbers; `limit-relations.ts` keeps them consistent.
 */
import { autoscaleLimits } from "./autoscale-limits.ts";
import { fleetLimits } from "./fleet-limits.ts";
import { kubernetesLimits } from "./kubernetes-limits.ts";
import { localFarmLimits } from "./local-farm-limits.ts";
import { loraLimits } from "./lora-limits.ts";
import { shelfLimits } from "./shelf-limits.ts";

export const limits = {
  ...autoscaleLimits,
  ...fleetLimits,
  ...kubernetesLimits,
  ...localFarmLimits,
  ...loraLimits,
  ...shelfLimits,
  /** Bytes of one prompt in UTF-8; a 512-token prompt stays far below. */
  promptBytesMax: 8_192,
  /** Code points after NFC. */
  promptCodePointsMax: 2_000,
  /** Tokens with the chat template: the model was trained with 512. */
  promptTokensMax: 512,
  /** Pixels of one side. */
  sidePixelsMin: 64,
  sidePixelsMax: 2_048,
  /** Pixels of one picture: 2048 x 2048. */
  areaPixelsMax: 4_194_304,
  /** Long side over short side. */
  aspectRatioMax: 4,
  /** As `guidance_scale` of diffusers; beyond it pictures fall apart. */
  guidanceScaleMax: 20,
  /** Norms of the plain prediction: a bound beyond them binds nothing. */
  guidanceNormalizationMax: 10,
  stepsMin: 1,
  stepsMax: 50,
  /** Tasks of one job: keeps a create request within one message. */
  tasksPerJobMax: 1_000,
  displayNameCharsMax: 128,
  /** Priority is a rate: a hundredfold between the ends, and nothing starves. */
  priorityMax: 100,
  priorityDefault: 50,
  /** A deadline further away than the job's record lives means nothing. */
  deadlineMsMax: 14 * 24 * 3_600_000,
  /** Paths of one field mask: there are six fields. */
  maskPathsMax: 16,
  /** Changes of one control record or policy that lose against others before the call gives up. */
  wishTriesMax: 8,
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  /** A page of adapters with all their versions ends once it has so many bytes. */
  pageBytesMax: 2_097_152,
  /** Violations listed in one error; the rest is counted. */
  violationsMax: 16,
  /** Picture bytes put into an answer; larger ones are fetched by URI. */
  inlineImageBytesMax: 4_194_304,
  /** A gRPC request: 1,000 prompts of ordinary length fit, a flood does not. */
  requestBytesMax: 4_194_304,
  metadataBytesMax: 8_192,
  /** Live tasks in QUEUE; more are refused with QUEUE_FULL. */
  queueTasksMax: 200_000,
  /** How often a gateway asks how many there are, while jobs of several pictures come. */
  queueRoomEveryMs: 1_000,
  /**
   * Fresh tasks of a job in one message of QUEUE: the largest ones just fit together. Kept while
   * tasks live: it says where a task's message is.
   */
  bundleTasksMax: 50,
  /** A bundle that lives on for so long after its first task ended is taken apart. */
  bundleThinMs: 600_000,
  /** Bundles that are taken apart at a time, each in up to `bundleTasksMax` writes. */
  bundlesSplitMax: 20,
  /** Jobs with a control record, and policies: every new leader reads them, in a second or two. */
  controlsMax: 200_000,
  policiesMax: 100_000,
  /** One message on NATS: its default maximum payload. */
  messageBytesMax: 1_048_576,
  /** Attempts of one task that failed by its own fault. */
  attemptsMax: 3,
  /** Crashes on distinct workers that prove a task to be poison; on any where there are fewer. */
  poisonCrashes: 3,
  /** Crashes of one task, wherever they were: so many are enough for any doubt. */
  taskCrashesMax: 6,
  /** Tasks in one grant, and so in one engine batch. */
  batchTasksMax: 8,
  /** A free worker waits at most this long for more of a shape that is arriving. */
  batchHoldMs: 10,
  /** Tasks of a shape that must have come before anything is expected of it. */
  batchArrivalsMin: 4,
  /** Rates of the classes of one project while all of them wait: none ever stands still. */
  interactiveRate: 64,
  standardRate: 8,
  batchRate: 1,
  /** What waits goes twice as fast after each of these, and at most so often. */
  ageDoubleMs: 600_000,
  ageDoublingsMax: 6,
  /**
   * Crashes in an hour under tasks of one project that ran alone, so that nothing else can be to
   * blame; with more, all its tasks run alone and one at a time.
   */
  projectCrashesPerHourMax: 10,
  /** Projects whose crashes are remembered, those of the newest crashes. */
  crashProjectsMax: 1_000,
  /** Failures for one cause within the window, on distinct tasks, that put a worker aside. */
  strikesMax: 3,
  strikeWindowMs: 10 * 60_000,
  /** Failures this close together are one: a crash takes all tasks of a batch along. */
  strikeBurstMs: 1_000,
  /** Causes that are told apart for one worker; there are not more that are a worker's fault. */
  strikeCausesMax: 8,
  /** How long a worker is put aside, doubled every time it does not do better. */
  quarantineMs: 5 * 60_000,
  quarantineMsMax: 3_600_000,
  /** Workers and tasks whose failures are remembered, to tell a bad worker from a bad task. */
  strikeWorkersMax: 10_000,
  strikeTasksMax: 20_000,
  /** Device time of a task of which nothing is known yet. */
  costDefaultMs: 2_000,
  /** Lots near the front of a line whose adapters are fetched ahead of their turn. */
  prewarmLotsMax: 8,
  /** How often the leader forgets what is idle and notices what is over. */
  forgetEveryMs: 1_000,
  /** Lots looked at for one grant, and those of one lane among them: bounds the time of a step. */
  placementScanMax: 32,
  placementLotsMax: 8,
  /** Workers that ask, looked at for the best place of one task. */
  placementAsksMax: 64,
  /** A project may be served this much before its turn, device time per weight: the price of
   * batches and warm adapters. */
  fairLeadMs: 10_000,
  /** A task may pass an older one of its project by so many times the load that this saves. */
  affinityLoadsMax: 3,
  /**
   * A task waits for a worker that has its adapters so many times the load that this saves: a load
   * also pushes something out that is loaded again later. Less where the line is deep.
   */
  affinityHold: 2,
  affinityHoldDeep: 0.75,
  /** How long a lease lives without a heartbeat. */
  leaseMs: 10_000,
  beatMs: 1_000,
  /** The leader holds an unanswered request for work this long. */
  askHoldMs: 5_000,
  /** Holds differ by up to this, in so many steps: a thousand workers must not ask at once. */
  askSpreadMs: 1_000,
  askSpreads: 64,
  /** A worker that is sent away sooner than this waits as long before it asks again. */
  askAgainMs: 250,
  /** With several shards: how long the home shard holds it, before the others are asked in turn. */
  shardHoldMs: 500,
  /** How long the others hold it: not at all. */
  shardGlanceMs: 1,
  /** Each shard is one more leader that hears every worker: more would be all ears. */
  shardsMax: 64,
  /** The worker waits this long for the answer: the hold and a slow network. */
  askTimeoutMs: 8_000,
  /** Leadership: how long the lease lives and how often it is renewed. */
  leaderLeaseMs: 3_000,
  leaderRenewMs: 250,
  /** So long after its last renewal it may grant; the rest of the lease is for a standby's ears. */
  leaderGrantsMs: 800,
  /** Before it grants, a new leader has heard what its predecessor did: two beats and a margin. */
  takeoverGraceMs: 2_200,
  /** So long may beats leave out a lease before it counts as lost; a grant may cross one beat. */
  unlistedMs: 1_500,
  /** Grants of one task that got lost for nothing; further ones count as crashes. */
  grantsLostMax: 2,
  /** Hand-backs of one task that spend no attempt; more do, so that no task circles for ever. */
  handBacksMax: 16,
  /** A task handed back for a fault that is not its own waits this long, doubled every time. */
  handBackDelayMs: 1_000,
  handBackDelayMsMax: 60_000,
  /** A silent worker without leases leaves the leader's table after this long. */
  workerForgetMs: 15_000,
  /** Workers in the leader's table; further ones are answered with nothing. */
  workersMax: 10_000,
  /** Projects with series of their own in the metrics of one process; the rest are `other`. */
  metricProjectsMax: 50,
  /** Shapes of a pool whose cost is remembered: far more than a farm draws in one day. */
  costShapesMax: 256,
  /** Device time of a million pixels and one step before a pool has drawn anything: a fast GPU. */
  costMsPerMegapixelStep: 100,
  /** Device time of one picture is taken for no less and no more than this, whatever is told. */
  costMsMin: 1,
  costMsMax: 3_600_000,
  /** Until more is known, 19 of 20 pictures take at most this many times the typical time. */
  costSpreadDefault: 2,
  /** Bytes of an adapter that come to the device in a millisecond: from RAM, disk, the store. */
  shelfRamBytesPerMs: 2_000_000,
  shelfDiskBytesPerMs: 500_000,
  shelfStoreBytesPerMs: 100_000,
  /** Newest outcomes the leader remembers, for those that overtake their task's message. */
  outcomesRememberedMax: 100_000,
  /** Entries of a log that the leader takes in one step, which then takes a few milliseconds. */
  eventsTogetherMax: 256,
  /** How often the leader looks at its clock when nothing else happens. */
  schedulerTickMs: 50,
  /** Writes of the leader to the broker at one time; those of one task are in order. */
  schedulerLanes: 32,
  /** Ended tasks leave QUEUE in one request once so many wait; it costs as much as a hundred. */
  queueSweepMin: 256,
  /** Within this time so many leave one by one, at once; further ones are gathered. */
  queueSweepEveryMs: 100,
  queueSinglesMax: 64,
  /** How often the leader clears QUEUE of what a killed broker brought back. */
  queueTidyMs: 30_000,
  /** Requests for outcomes that a new leader has under way: it needs those of all live tasks. */
  rebuildChecksMax: 256,
  /** Live tasks of a job from which on one listing costs less than a look at each. */
  rebuildListMin: 16,
  /** Outcomes of a project, for each task to be looked for, up to which reading all costs less. */
  rebuildListFactor: 3,
  /** How often positions of waiting tasks are announced, and for how many. */
  positionEveryMs: 1_000,
  positionTasksMax: 256,
  /** Outcomes are kept this long. */
  outcomeRetentionMs: 7 * 24 * 3_600_000,
  /** Job records outlive the last outcome of any job that ends within a week. */
  jobRetentionMs: 14 * 24 * 3_600_000,
  /** A request to the broker that nobody answers, reconnecting and asking again included. */
  brokerRequestMs: 5_000,
  /** Longest wait before a lost broker is dialed again; the real one is drawn below it. */
  brokerRedialMs: 500,
  /** A frozen broker or a dead link is noticed after this long, twice. */
  brokerPingMs: 5_000,
  /** How often a process looks whether its streams still exist. */
  brokerCheckMs: 2_000,
  /** A standby asks for leadership this often: a resigned lease is taken over that fast. */
  leaderRetryMs: 250,
  /**
   * Messages of a log on their way to one follower. Times the trips to the broker in a second that
   * is what it can read, and a leader that reads outcomes later than `leaseMs` takes tasks that are
   * done for lost.
   */
  followMessagesMax: 4_000,
  /** Messages that a slow follower leaves unread before it lets go; it begins again behind them. */
  followUnreadMax: 8_000,
  /**
   * A follower that still catches up and hears nothing this long looks where it stands; it doubles
   * each time, because a broker far away takes longer to say anything at all.
   */
  followStallMs: 250,
  /** The broker forgets a follower that died after this long. */
  followForgetMs: 30_000,
  /** Events in one answer of a watch: with the longest prompts they stay below 4 MiB. */
  watchEventsMax: 100,
  /** A watch ends after this long and is resumed by its client. */
  watchMs: 30 * 60_000,
  /** A render call without a deadline gets this one. */
  renderMs: 10 * 60_000,
  /** Longest wait of one call, whatever deadline it names; also tames absurd ones. */
  callMsMax: 3_600_000,
  /** Storing the largest job takes seconds even on a slow disk. */
  createMs: 30_000,
  /** Reading what the broker knows; twice what one of its requests may take. */
  readMs: 10_000,
  /** How often a gateway that waits for a farm to be restored looks whether it is. */
  restoredLookMs: 250,
  /** Outcomes that a gateway keeps at hand for jobs it took in itself; a kilobyte each. */
  feedOutcomesMax: 50_000,
  /** A gateway uses what it knows of a pool this long: it changes only when workers start. */
  poolKnownMs: 1_000,
  /** Tasks of one create on their way to the broker at once. */
  admitParallel: 64,
  /** Lookups of one list or cancel on their way to the broker at once. */
  lookupParallel: 32,
  /** How often one request id may be refused halfway before it is spent. */
  admitGenerationsMax: 16,
  /** A link to a picture is good for a day; asking again gives a fresh one. */
  imageUrlSeconds: 86_400,
  /** Characters of a worker's failure text passed on to a client. */
  failureCharsMax: 512,
  /** What RetryInfo says where nothing better is known, and while the queue is full. */
  retryAfterMs: 1_000,
  queueFullRetryMs: 5_000,
  quotaRetryMs: 5_000,
  /** What RetryInfo says of a full queue whose drain was measured: bounds, and how often it is. */
  drainRetryMsMin: 1_000,
  drainRetryMsMax: 60_000,
  drainSampleMs: 1_000,
  /** What RetryInfo says while the broker has no room to store: somebody must make some. */
  brokerTroubleRetryMs: 5_000,
  /** Calls of one connection at once: each may hold a request in memory. */
  streamsPerConnectionMax: 256,
  /** Connections are renewed, so that new gateways get their share of clients. */
  connectionAgeMs: 10 * 60_000,
  /** What an old connection still carries may finish: the longest call and a margin. */
  connectionGraceMs: 3_660_000,
  /** A peer that answers no ping is gone, and its renders are canceled. */
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  /** A stopping gateway waits this long for its calls; the rest of the stop fits behind it. */
  drainMs: 20_000,
  /** What a client tries before it gives up on a farm that does not answer. */
  clientAttemptsMax: 10,
  clientBackoffMsFirst: 100,
  clientBackoffMsMax: 5_000,
  /**
   * A denoise step that takes longer than this, and than the model says that one may take, is
   * stuck and its engine is killed.
   */
  engineStepMs: 120_000,
  /** Session creation reads the whole model. */
  engineStartMs: 600_000,
  /** An engine that is told to end may finish the run it is in; then it is killed. */
  engineCloseMs: 3_000,
  /** Ends of an engine with no finished picture between them; then the worker gives up too. */
  engineCrashesMax: 6,
  /** One request to the object store: a picture on a slow network, not a dead one. */
  storeRequestMs: 15_000,
  /** A large file gets more time than a picture: so many bytes each millisecond, 8 Mbit/s. */
  storeBytesPerMs: 1_000,
  /** Requests for one call to the store; a longer outage is for the caller to judge. */
  storeAttemptsMax: 3,
  /** The store's answer to a readiness probe, which gives up after a second itself. */
  storeProbeMs: 700,
  /** Connections of one process to the store. */
  storeSocketsMax: 16,
  /** A presigned URL lives at most a week, as S3 has it. */
  storeUrlSecondsMax: 604_800,
  /** Uploads, outcomes and reports are tried this often: some ten seconds of a broken store. */
  deliveryAttemptsMax: 8,
  /** Pictures that wait for the store in one worker; more, and it asks for no work. */
  deliveriesMax: 16,
  /** How often the leader compares manifests with the streams, after the once of its beginning. */
  reconcileEveryMs: 10 * 60_000,
  /** A leader whose store did not answer leads on without copies of outcomes for so long. */
  copiesAskAgainMs: 10_000,
  /** A store that says nothing for this long is away: workers wait behind that look. */
  copiesStallMs: 2_000,
  /** Objects of a project, for each job to be looked for, up to which listing all costs less. */
  copiesListFactor: 6,
  /** Manifests that are compared at one time. */
  reconcileParallel: 16,
  /** Manifests of ended jobs that a leader need not look at again. */
  endedManifestsMax: 100_000,
  /** A create is over after this long, also by a clock that is ahead of the store's. */
  manifestSettleMs: 90_000,
  /** How often the leader looks for garbage, at how many objects, and how old that must be. */
  objectSweepEveryMs: 60_000,
  objectSweepMax: 1_000,
  objectSweepAgeMs: 3_600_000,
  /** A worker that is told to stop finishes what fits into this and hands back the rest. */
  drainGraceMs: 12_000,
  /** How long the engine may take to let a task go, and the store to take what was done of it. */
  releaseMs: 2_000,
  /** After steps this long a worker knows what was done: none may end while it stops. */
  latentsStepMs: 1_000,
  latentsMs: 1_500,
  /** Longer side of a preview, and its bytes as JPEG: it travels in one message, droppable. */
  previewSidePixels: 128,
  previewBytesMax: 32_768,
  /** A wish to see previews is repeated this often, and forgotten after a few went missing. */
  previewWishEveryMs: 2_000,
  previewWishMs: 7_000,
  /** Jobs whose previews are wished for that a worker remembers, the newest wishes. */
  previewWishesMax: 1_000,
  /** Latents of one picture: 16 channels of float32 at an eighth of the largest side. */
  latentBytesMax: 4_194_304,
  /** A model on its way from the store to a disk: so many pieces at once fill a fast network. */
  modelPieceBytes: 16_777_216,
  modelFetchesMax: 16,
  /** From SIGTERM to exit; the pod's grace period is longer. */
  stopWithinMs: 25_000,
} as const;

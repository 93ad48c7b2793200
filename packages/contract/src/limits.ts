/**
 * Every bound of the farm in one place, with its reason. Units are in the names. Proto comments,
 * error texts and documentation quote these numbers; the checks at the end keep them consistent.
 */
export const limits = {
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
  stepsMin: 1,
  stepsMax: 50,
  /** Tasks of one job: keeps a create request within one message. */
  tasksPerJobMax: 1_000,
  displayNameCharsMax: 128,
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  /** Violations listed in one error; the rest is counted. */
  violationsMax: 16,
  /** Picture bytes put into an answer; larger ones are fetched by URI. */
  inlineImageBytesMax: 4_194_304,
  /** A gRPC request: 1,000 prompts of ordinary length fit, a flood does not. */
  requestBytesMax: 4_194_304,
  metadataBytesMax: 8_192,
  /** Live tasks in QUEUE; more are refused with QUEUE_FULL. */
  queueTasksMax: 200_000,
  /** One message on NATS: its default maximum payload. */
  messageBytesMax: 1_048_576,
  /** Attempts of one task, crashes and its own failures counted. */
  attemptsMax: 3,
  /** Tasks in one grant, and so in one engine batch. */
  batchTasksMax: 8,
  /** How long a lease lives without a heartbeat. */
  leaseMs: 10_000,
  beatMs: 1_000,
  /** The leader holds an unanswered request for work this long. */
  askHoldMs: 5_000,
  /** The worker waits this long for the answer: the hold and a slow network. */
  askTimeoutMs: 8_000,
  /** Leadership: how long the lease lives and how often it is renewed. */
  leaderLeaseMs: 3_000,
  leaderRenewMs: 1_000,
  /** A new leader listens to heartbeats this long before it declares a lease lost. */
  takeoverGraceMs: 2_500,
  /** How often positions of waiting tasks are announced, and for how many. */
  positionEveryMs: 1_000,
  positionTasksMax: 256,
  /** Outcomes are kept this long. */
  outcomeRetentionMs: 7 * 24 * 3_600_000,
  /** A request to the broker that nobody answers. */
  brokerRequestMs: 5_000,
  /** A watch ends after this long and is resumed by its client. */
  watchMs: 30 * 60_000,
  /** A render call without a deadline gets this one. */
  renderMs: 10 * 60_000,
  /** A denoise step that takes longer than this is stuck and its engine is killed. */
  engineStepMs: 120_000,
  /** Session creation reads the whole model. */
  engineStartMs: 600_000,
  /** From SIGTERM to exit; the pod's grace period is longer. */
  stopWithinMs: 25_000,
} as const;

/** Relations between bounds that code relies on; each line is one. */
const relations: readonly (readonly [boolean, string])[] = [
  [limits.beatMs * 3 < limits.leaseMs, "a lease must survive two lost heartbeats"],
  [limits.leaderRenewMs * 2 < limits.leaderLeaseMs, "leadership must survive one lost renewal"],
  [limits.beatMs * 2 < limits.takeoverGraceMs, "a new leader must hear every worker twice"],
  [limits.askHoldMs < limits.askTimeoutMs, "the leader must answer before the worker gives up"],
  [limits.promptBytesMax * 4 < limits.messageBytesMax, "a task must fit a message"],
  [limits.sidePixelsMax ** 2 <= limits.areaPixelsMax, "the largest square must be allowed"],
];
for (const [holds, why] of relations) {
  if (!holds) throw new RangeError(`limits: ${why}`);
}

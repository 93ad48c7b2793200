/** Builders of what travels through a broker; anything a test sets matters to it. */
import {
  defaultPool,
  defaultProject,
  type JobControl,
  type JobId,
  type JobRecord,
  type JobRef,
  jobIdOfRequest,
  type LoraRecord,
  type Outcome,
  OutcomeKind,
  type PoolRecord,
  type QueuedTask,
  type TaskId,
  type TaskSpec,
  type WorkRequest,
} from "@zfarm/contract";

const createTime = new Date("2026-01-01T00:00:00Z");

/** The job of a short name, always the same one. */
export function someJob(name = "job"): JobRef {
  return { project: defaultProject, job: jobIdOfRequest(defaultProject, name) };
}

export function someTaskId(index = 0, job: JobId = someJob().job): TaskId {
  return { project: defaultProject, job, index };
}

export function someSpec(overrides: Partial<TaskSpec> = {}): TaskSpec {
  return {
    project: defaultProject,
    job: someJob().job,
    index: 0,
    pool: defaultPool,
    image: { prompt: "a red house", width: 64, height: 64, steps: 4, seed: 7n, loras: [] },
    createTime,
    expireTime: undefined,
    ...overrides,
  };
}

export interface TaskOverrides {
  readonly index?: number;
  readonly job?: JobId;
  readonly attempts?: number;
  readonly prompt?: string;
}

export function someTask(overrides: TaskOverrides = {}): QueuedTask {
  const { index = 0, job = someJob().job, attempts = 0, prompt = "a red house" } = overrides;
  const image = { prompt, width: 64, height: 64, steps: 4, seed: 7n, loras: [] };
  return { spec: someSpec({ index, job, image }), attempts, lastFailure: undefined };
}

export interface OutcomeOverrides {
  readonly index?: number;
  readonly job?: JobId;
  readonly kind?: OutcomeKind;
  readonly fence?: bigint;
  readonly worker?: string;
}

/** Without a fence it is one that nobody rendered. */
export function someOutcome(overrides: OutcomeOverrides = {}): Outcome {
  const { index = 0, job = someJob().job, fence = 0n, worker = "" } = overrides;
  return {
    spec: someSpec({ index, job }),
    kind: overrides.kind ?? OutcomeKind.CANCELED,
    image: undefined,
    failure: undefined,
    worker,
    fence,
    attempt: 0,
    endTime: createTime,
  };
}

export function someControl(overrides: Partial<JobControl> = {}): JobControl {
  return { ...someJob(), scheduling: undefined, paused: false, approved: false, ...overrides };
}

export function someJobRecord(overrides: Partial<JobRecord> = {}): JobRecord {
  return {
    project: defaultProject,
    job: someJob().job,
    requestDigest: "d1",
    pool: defaultPool,
    displayName: "",
    taskCount: 1,
    createTime,
    admitted: false,
    ...overrides,
  };
}

export function somePool(overrides: Partial<PoolRecord> = {}): PoolRecord {
  return {
    pool: defaultPool,
    model: "nano",
    modelDigest: "m1",
    sizeMultiple: 16,
    pixelsMax: 65_536,
    stepsDefault: 8,
    widthDefault: 256,
    heightDefault: 256,
    ...overrides,
  };
}

export function someLora(overrides: Partial<LoraRecord> = {}): LoraRecord {
  return {
    project: defaultProject,
    lora: "ink",
    displayName: "",
    labels: new Map(),
    triggerWords: [],
    pinned: false,
    versions: [],
    aliases: new Map(),
    versionsMade: 0,
    createTime,
    updateTime: createTime,
    deleteTime: undefined,
    ...overrides,
  };
}

export function someWorkRequest(overrides: Partial<WorkRequest> = {}): WorkRequest {
  return {
    worker: "w1",
    pool: defaultPool,
    epochSeen: 0n,
    slotsFree: 1,
    running: [],
    ...overrides,
  };
}

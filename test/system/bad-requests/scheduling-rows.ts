/** Scheduling, verbs and policies that are refused: bounds, names, and jobs that are not there. */
import {
  DrainRequest,
  ForgiveWorkerRequest,
  GetPoolPolicyRequest,
  GetProjectPolicyRequest,
  Job,
  ListVictimsRequest,
  ListWorkersRequest,
  limits,
  PauseJobRequest,
  type PriorityClass,
  ProjectShare,
  RetryJobRequest,
  Scheduling,
  UpdateJobRequest,
  UpdatePoolPolicyRequest,
  UpdateProjectPolicyRequest,
} from "@zfarm/contract";
import {
  type BadRequest,
  createBytes,
  image,
  invalid,
  methods,
  renderBytes,
  streamBytes,
} from "./row.ts";

const unknownJob = `projects/default/jobs/${"a".repeat(26)}`;
const uint32Max = 2 ** 32 - 1;
const tooFar = Date.now() + limits.deadlineMsMax + 3_600_000;

/** A job of two tasks with one wrong field. */
const badField = (
  name: string,
  fields: Partial<Scheduling>,
  expected: { readonly field: string; readonly tells: string },
): BadRequest => ({
  name,
  method: methods.create,
  bytes: createBytes({ images: [image(), image()], scheduling: Scheduling.create(fields) }),
  ...invalid([`scheduling.${expected.field} OUT_OF_RANGE`]),
  tells: expected.tells,
});

const fieldRows: readonly BadRequest[] = [
  ...[4, 99, -1].map((value) =>
    badField(
      `priority class ${value}`,
      { priorityClass: value as PriorityClass },
      { field: "priority_class", tells: "1 to 3" },
    ),
  ),
  ...[101, uint32Max].map((priority) =>
    badField(`priority ${priority}`, { priority }, { field: "priority", tells: "1 to 100" }),
  ),
  ...[0, Date.UTC(2001, 0), tooFar, 8.64e15].map((ms) =>
    badField(
      `deadline at ${ms === tooFar ? "a month" : ms}`,
      { deadlineTime: new Date(ms) },
      { field: "deadline_time", tells: "14 days" },
    ),
  ),
  ...[1_001, uint32Max].map((maxConcurrency) =>
    badField(
      `concurrency ${maxConcurrency}`,
      { maxConcurrency },
      { field: "max_concurrency", tells: "1 to 1000" },
    ),
  ),
  ...[3, uint32Max].map((maxFailedTasks) =>
    badField(
      `${maxFailedTasks} failures of two tasks`,
      { maxFailedTasks },
      { field: "max_failed_tasks", tells: "1 to 2, the tasks of the job" },
    ),
  ),
  ...[3, uint32Max].map((sampleTasks) =>
    badField(
      `a sample of ${sampleTasks} of two tasks`,
      { sampleTasks },
      { field: "sample_tasks", tells: "1 to 2, the tasks of the job" },
    ),
  ),
  {
    name: "a sample of more than the one picture",
    method: methods.render,
    bytes: renderBytes({ scheduling: Scheduling.create({ sampleTasks: 2 }) }),
    ...invalid(["scheduling.sample_tasks OUT_OF_RANGE"]),
  },
  {
    name: "a streamed picture of no class",
    method: methods.stream,
    bytes: streamBytes({ scheduling: Scheduling.create({ priorityClass: 7 as PriorityClass }) }),
    ...invalid(["scheduling.priority_class OUT_OF_RANGE"]),
  },
  {
    name: "all of the scheduling and a picture",
    method: methods.create,
    bytes: createBytes({
      images: [image({ steps: 51 })],
      scheduling: Scheduling.create({ priority: 101, deadlineTime: new Date(1), sampleTasks: 2 }),
    }),
    ...invalid([
      "images[0].steps OUT_OF_RANGE",
      "scheduling.priority OUT_OF_RANGE",
      "scheduling.deadline_time OUT_OF_RANGE",
      "scheduling.sample_tasks OUT_OF_RANGE",
    ]),
  },
];

const notFound = { code: "NOT_FOUND", reason: "JOB_NOT_FOUND", tells: unknownJob } as const;
const updateBytes = (name: string): Uint8Array =>
  UpdateJobRequest.encode({ job: Job.create({ name }), updateMask: ["priority"] }).finish();

/** The verbs whose request is a name alone have the same bytes. */
const verbRows = [
  methods.pause,
  methods.resumeJob,
  methods.approve,
  methods.retry,
  methods.explain,
].flatMap((method): BadRequest[] => {
  const verb = method.split("/").at(-1);
  const bytes = (name: string): Uint8Array => PauseJobRequest.encode({ name }).finish();
  return [
    {
      name: `${verb} of no name`,
      method,
      bytes: bytes("projects/default/jobs/*"),
      ...invalid(["name BAD_NAME"]),
    },
    { name: `${verb} of an unknown job`, method, bytes: bytes(unknownJob), ...notFound },
  ];
});

const jobRows: readonly BadRequest[] = [
  ...verbRows,
  {
    name: "update of nothing",
    method: methods.update,
    bytes: new Uint8Array(),
    ...invalid(["job.name BAD_NAME"]),
  },
  {
    name: "update of an unknown job",
    method: methods.update,
    bytes: updateBytes(unknownJob),
    ...notFound,
  },
  {
    name: "retry with a bad request id",
    method: methods.retry,
    bytes: RetryJobRequest.encode({ name: unknownJob, requestId: "a b" }).finish(),
    ...invalid(["request_id BAD_ID"]),
  },
  ...["", unknownJob, `${unknownJob}/tasks/x`, `${unknownJob}/tasks/-1`].map(
    (name): BadRequest => ({
      name: `explanation of task ${JSON.stringify(name.slice(-8))}`,
      method: methods.explainTask,
      bytes: PauseJobRequest.encode({ name }).finish(),
      ...invalid(["name BAD_NAME"]),
    }),
  ),
  {
    name: "explanation of a task of an unknown job",
    method: methods.explainTask,
    bytes: PauseJobRequest.encode({ name: `${unknownJob}/tasks/0` }).finish(),
    ...notFound,
  },
];

const shareRow = (
  name: string,
  share: Partial<ProjectShare> | undefined,
  violations: readonly string[],
): BadRequest => ({
  name,
  method: methods.setPolicy,
  bytes: UpdateProjectPolicyRequest.encode({
    share: share && ProjectShare.create({ name: "projects/default", ...share }),
  }).finish(),
  ...invalid(violations),
});

const conductRow = (
  name: string,
  conduct: { readonly name?: string; readonly speculateAfter?: number } | undefined,
  violation: string,
): BadRequest => ({
  name,
  method: methods.setPoolPolicy,
  bytes: UpdatePoolPolicyRequest.encode({
    conduct: conduct && { name: "pools/default", speculateAfter: 0, draining: false, ...conduct },
  }).finish(),
  ...invalid([violation]),
});

const fleetRows: readonly BadRequest[] = [
  ...["", "one", "workers/", "pools/*", "workers/a/b", "projects/default"].map(
    (name): BadRequest => ({
      name: `drain of ${JSON.stringify(name)}`,
      method: methods.drain,
      bytes: DrainRequest.encode({ name }).finish(),
      ...invalid(["name BAD_NAME"]),
      tells: "workers/{worker} or pools/{pool}",
    }),
  ),
  {
    name: "resumption of no name",
    method: methods.resume,
    bytes: DrainRequest.encode({ name: "pools/A" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  {
    name: "drain of an unknown pool",
    method: methods.drain,
    bytes: DrainRequest.encode({ name: "pools/nobody" }).finish(),
    code: "NOT_FOUND",
    reason: "POOL_NOT_FOUND",
    tells: "nobody",
  },
  {
    name: "forgiveness for a pool",
    method: methods.forgive,
    bytes: ForgiveWorkerRequest.encode({ name: "pools/default" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  {
    name: "one worker of no name",
    method: methods.workers,
    bytes: ListWorkersRequest.encode({ pool: "", name: "pools/default" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  ...[0, 1_001].map(
    (pageSize): BadRequest => ({
      name: `a page of ${pageSize} workers`,
      method: methods.workers,
      bytes: ListWorkersRequest.encode({ pool: "", pageSize }).finish(),
      ...invalid(["page_size OUT_OF_RANGE"]),
      tells: "1 to 1000",
    }),
  ),
  {
    name: "workers after no worker",
    method: methods.workers,
    bytes: ListWorkersRequest.encode({ pool: "", pageToken: "zzz" }).finish(),
    ...invalid(["page_token BAD_TOKEN"]),
  },
  {
    name: "too many victims of a bad pool",
    method: methods.victims,
    bytes: ListVictimsRequest.encode({ pool: "*", count: 1_001 }).finish(),
    ...invalid(["pool BAD_NAME", "count OUT_OF_RANGE"]),
    tells: "1000",
  },
  ...["", "default", "projects/*"].map(
    (name): BadRequest => ({
      name: `share of ${JSON.stringify(name)}`,
      method: methods.getPolicy,
      bytes: GetProjectPolicyRequest.encode({ name }).finish(),
      ...invalid(["name BAD_NAME"]),
    }),
  ),
  ...["", "default", "workers/one"].map(
    (name): BadRequest => ({
      name: `conduct of ${JSON.stringify(name)}`,
      method: methods.getPoolPolicy,
      bytes: GetPoolPolicyRequest.encode({ name }).finish(),
      ...invalid(["name BAD_NAME"]),
    }),
  ),
  conductRow("no conduct", undefined, "conduct REQUIRED"),
  conductRow("conduct of no pool", { name: "default" }, "conduct.name BAD_NAME"),
  ...[-1, 1, 1.4, 101, Number.NaN, Number.POSITIVE_INFINITY].map((speculateAfter) =>
    conductRow(
      `a second try after ${speculateAfter}`,
      { speculateAfter },
      "conduct.speculate_after OUT_OF_RANGE",
    ),
  ),
  {
    name: "conduct of an unknown pool",
    method: methods.getPoolPolicy,
    bytes: GetPoolPolicyRequest.encode({ name: "pools/nobody" }).finish(),
    code: "NOT_FOUND",
    reason: "POOL_NOT_FOUND",
    tells: "nobody",
  },
  shareRow("no share", undefined, ["share REQUIRED"]),
  shareRow("a share of no project", { name: "" }, ["share.name BAD_NAME"]),
  shareRow("a share beyond every bound", { weight: 1_001, guaranteeTasks: uint32Max }, [
    "share.weight OUT_OF_RANGE",
    "share.guarantee_tasks OUT_OF_RANGE",
  ]),
  shareRow("more room to wait than the queue has", { queuedTasksMax: 200_001 }, [
    "share.queued_tasks_max OUT_OF_RANGE",
  ]),
  shareRow("a guarantee above the burst", { guaranteeTasks: 2, burstTasks: 1 }, [
    "share.guarantee_tasks OUT_OF_RANGE",
  ]),
];

export const schedulingRows: readonly BadRequest[] = [...fieldRows, ...jobRows, ...fleetRows];

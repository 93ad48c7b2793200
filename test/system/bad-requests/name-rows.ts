/** Names, ids and tokens that are refused, most of them chosen to mean something elsewhere. */
import {
  CancelJobRequest,
  GetJobRequest,
  ListTasksRequest,
  ListWorkersRequest,
  WatchJobRequest,
} from "@zfarm/contract";
import { type BadRequest, createBytes, invalid, methods, renderBytes, streamBytes } from "./row.ts";

const unknownJob = `projects/default/jobs/${"a".repeat(26)}`;

const evilNames = [
  "",
  ".",
  "..",
  "../x",
  "%2e%2e",
  "a/b",
  "C:\\x",
  "a\u0000b",
  "a b",
  "a.",
  "x".repeat(64),
  "Upper",
  "\u0430bc",
  "\u{1F431}",
  "*",
  ">",
  "a.>",
  "a\r\nPUB x 1\r\n",
];

const visibleName = (name: string): string => JSON.stringify(name.slice(0, 20));

const parents = evilNames.map(
  (name): BadRequest => ({
    name: `project ${visibleName(name)}`,
    method: methods.render,
    bytes: renderBytes({ parent: `projects/${name}` }),
    ...invalid(["parent BAD_NAME"]),
    tells: "projects/{project}",
  }),
);

const pools = evilNames.slice(1).map(
  (pool): BadRequest => ({
    name: `pool ${visibleName(pool)}`,
    method: methods.stream,
    bytes: streamBytes({ pool }),
    ...invalid(["pool BAD_NAME"]),
  }),
);

const requestIds = ["a b", "a.b", "a/b", "é", "x".repeat(65), "a\n", "*", "~1"].map(
  (requestId): BadRequest => ({
    name: `request id ${visibleName(requestId)}`,
    method: methods.create,
    bytes: createBytes({ requestId }),
    ...invalid(["request_id BAD_ID"]),
    tells: "1 to 64",
  }),
);

const badJobNames = [
  "",
  "a",
  unknownJob.slice(0, -1),
  `${unknownJob}a`,
  unknownJob.toUpperCase(),
  `/${unknownJob}`,
  `${unknownJob}/tasks/0`,
  "projects/*/jobs/*",
  "projects/default/jobs/../../pools",
];

const jobNames = badJobNames.map(
  (name): BadRequest => ({
    name: `job ${JSON.stringify(name)}`,
    method: methods.get,
    bytes: GetJobRequest.encode({ name }).finish(),
    ...invalid(["name BAD_NAME"]),
  }),
);

const notFound = { code: "NOT_FOUND", reason: "JOB_NOT_FOUND", tells: unknownJob } as const;

export const nameRows: readonly BadRequest[] = [
  ...parents,
  ...pools,
  ...requestIds,
  ...jobNames,
  {
    name: "cancel of no name",
    method: methods.cancel,
    bytes: CancelJobRequest.encode({ name: "jobs/1" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  {
    name: "watch of no name",
    method: methods.watch,
    bytes: WatchJobRequest.encode({ name: "jobs/1", resumeToken: "" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  {
    name: "listing of no name",
    method: methods.list,
    bytes: ListTasksRequest.encode({ parent: "jobs/1", pageSize: 1, pageToken: "" }).finish(),
    ...invalid(["parent BAD_NAME"]),
  },
  {
    name: "workers of a bad pool",
    method: methods.workers,
    bytes: ListWorkersRequest.encode({ pool: "a.*" }).finish(),
    ...invalid(["pool BAD_NAME"]),
  },
  {
    name: "get of an unknown job",
    method: methods.get,
    bytes: GetJobRequest.encode({ name: unknownJob }).finish(),
    ...notFound,
  },
  {
    name: "cancel of an unknown job",
    method: methods.cancel,
    bytes: CancelJobRequest.encode({ name: unknownJob }).finish(),
    ...notFound,
  },
  {
    name: "watch of an unknown job",
    method: methods.watch,
    bytes: WatchJobRequest.encode({ name: unknownJob, resumeToken: "x" }).finish(),
    ...notFound,
  },
  {
    name: "listing of an unknown job",
    method: methods.list,
    bytes: ListTasksRequest.encode({ parent: unknownJob, pageSize: 0, pageToken: "" }).finish(),
    ...notFound,
  },
  {
    name: "a pool that no worker ever served",
    method: methods.render,
    bytes: renderBytes({ pool: "nobody" }),
    code: "FAILED_PRECONDITION",
    reason: "NO_CAPABLE_POOL",
    tells: "nobody",
  },
];

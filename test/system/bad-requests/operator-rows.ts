/** What operators may not ask for: names, reasons, times and bounds that are refused. */
import {
  GetPoolRequest,
  GetQueueStatisticsRequest,
  ListWorkersRequest,
  LockWorkerRequest,
  limits,
  PoolConduct,
  QuarantineWorkerRequest,
  UpdatePoolPolicyRequest,
  type WorkerState,
} from "@zfarm/contract";
import { type BadRequest, invalid, methods } from "./row.ts";

const { getWorker, lock, unlock, quarantine } = methods;
const uint32Max = 2 ** 32 - 1;

/** Requests with a name have it in the same field. */
const nameRows = [getWorker, lock, unlock, quarantine].flatMap((method): BadRequest[] => {
  const verb = method.split("/").at(-1);
  const bytes = (name: string): Uint8Array =>
    QuarantineWorkerRequest.encode({ name, reason: "stripes" }).finish();
  return [
    ...["", "one", "pools/default", "workers/a/b", "workers/*"].map((name) => ({
      name: `${verb} of ${JSON.stringify(name)}`,
      method,
      bytes: bytes(name),
      ...invalid(["name BAD_NAME"]),
      tells: "workers/{worker}",
    })),
    {
      name: `${verb} of an unknown worker`,
      method,
      bytes: bytes("workers/nobody"),
      code: "NOT_FOUND",
      reason: "WORKER_NOT_FOUND",
      tells: "nobody",
    },
  ];
});

const reasonRows = [
  ["too long", "x".repeat(limits.fleetReasonCharsMax + 1), "reason TOO_LONG"],
  ["of two lines", "a\nb", "reason CONTROL_CHARACTER"],
  ["that reorders a line", "\u202Eabc", "reason BIDI_CONTROL"],
] as const;

const aside = (fields: Partial<QuarantineWorkerRequest>): Uint8Array =>
  QuarantineWorkerRequest.encode({ name: "workers/nobody", reason: "stripes", ...fields }).finish();

const workerRows: readonly BadRequest[] = [
  ...nameRows,
  ...reasonRows.flatMap(([what, reason, violation]): BadRequest[] => [
    {
      name: `a lock for a reason ${what}`,
      method: lock,
      bytes: LockWorkerRequest.encode({ name: "workers/nobody", reason }).finish(),
      ...invalid([violation]),
    },
    {
      name: `a quarantine for a reason ${what}`,
      method: quarantine,
      bytes: aside({ reason }),
      ...invalid([violation]),
    },
  ]),
  {
    name: "a quarantine for no reason that ended long ago",
    method: quarantine,
    bytes: aside({ reason: " ", endTime: new Date(0) }),
    ...invalid(["reason REQUIRED", "end_time OUT_OF_RANGE"]),
  },
  {
    name: "a quarantine of a year",
    method: quarantine,
    bytes: aside({ endTime: new Date(Date.now() + 365 * 86_400_000) }),
    ...invalid(["end_time OUT_OF_RANGE"]),
    tells: "30 days",
  },
  ...[0, 7, -1].map(
    (state): BadRequest => ({
      name: `workers in state ${state}`,
      method: methods.workers,
      bytes: ListWorkersRequest.encode({ pool: "", state: state as WorkerState }).finish(),
      ...invalid(["state OUT_OF_RANGE"]),
      tells: "1 to 6",
    }),
  ),
];

const conduct = (
  fields: Partial<PoolConduct>,
  updateMask: string[] | undefined = ["scaling"],
): Uint8Array => {
  const whole = PoolConduct.create({ name: "pools/default", ...fields });
  return UpdatePoolPolicyRequest.encode({ conduct: whole, updateMask }).finish();
};

const conductRow = (name: string, bytes: Uint8Array, violation: string): BadRequest => ({
  name,
  method: methods.setPoolPolicy,
  bytes,
  ...invalid([violation]),
});

const poolRows: readonly BadRequest[] = [
  conductRow(
    "more workers than a farm has",
    conduct({ scaling: { workersMax: 10_001, paused: false } }),
    "conduct.scaling.workers_max OUT_OF_RANGE",
  ),
  conductRow(
    "a least number of workers that no farm has",
    conduct({ scaling: { workersMin: uint32Max, paused: false } }),
    "conduct.scaling.workers_min OUT_OF_RANGE",
  ),
  conductRow(
    "at least more workers than at most",
    conduct({ scaling: { workersMin: 3, workersMax: 2, paused: false } }),
    "conduct.scaling.workers_min OUT_OF_RANGE",
  ),
  conductRow("a mask of nothing", conduct({}, []), "update_mask REQUIRED"),
  conductRow(
    "a mask of a field that has verbs of its own",
    conduct({}, ["draining"]),
    "update_mask.paths[0] UNKNOWN_FIELD",
  ),
  conductRow(
    "a mask of more paths than there are fields",
    conduct(
      {},
      Array.from({ length: limits.maskPathsMax + 1 }, () => "scaling"),
    ),
    "update_mask TOO_MANY",
  ),
  {
    name: "a wish for an unknown pool",
    method: methods.setPoolPolicy,
    bytes: conduct({ name: "pools/nobody", scaling: { paused: true } }),
    code: "NOT_FOUND",
    reason: "POOL_NOT_FOUND",
    tells: "nobody",
  },
  ...["", "default", "workers/one"].map(
    (name): BadRequest => ({
      name: `pool ${JSON.stringify(name)}`,
      method: methods.getPool,
      bytes: GetPoolRequest.encode({ name }).finish(),
      ...invalid(["name BAD_NAME"]),
    }),
  ),
  {
    name: "the queue of a bad pool",
    method: methods.queue,
    bytes: GetQueueStatisticsRequest.encode({ pool: "a.*", projectsMax: 0 }).finish(),
    ...invalid(["pool BAD_NAME"]),
  },
  {
    name: "more projects of a queue than it tells",
    method: methods.queue,
    bytes: GetQueueStatisticsRequest.encode({ pool: "", projectsMax: 101 }).finish(),
    ...invalid(["projects_max OUT_OF_RANGE"]),
    tells: "1 to 100",
  },
];

export const operatorRows: readonly BadRequest[] = [...workerRows, ...poolRows];

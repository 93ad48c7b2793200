/** What a screen of so many rows and columns shows of a farm, and what it leaves out. */
import {
  type PoolQueue,
  PriorityClass,
  type ScalingDecision,
  WaitReason,
  type Worker,
  WorkerState,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import type { FarmPicture } from "./farm-picture.ts";
import { frame, type TopState } from "./frame.ts";

const nowMs = Date.UTC(2030, 0, 1, 12, 0, 3);

const worker = (index: number, fields: Partial<Worker> = {}): Worker => ({
  name: `workers/w${String(index).padStart(3, "0")}`,
  pool: "default",
  state: WorkerState.BUSY,
  device: "cuda:0",
  model: "z-image-turbo",
  modelDigest: "d",
  slots: 4,
  running: 4,
  heartbeatTime: new Date(nowMs - 1_000),
  host: { node: "node-a", memoryBytes: 2n ** 36n, memoryFreeBytes: 2n ** 35n },
  shelf: { onDevice: 2, inRam: 3, onDisk: 9 },
  ...fields,
});

const queue: PoolQueue = {
  pool: "pools/default",
  waiting: 120,
  running: 8,
  backlogSeconds: 240,
  oldestSeconds: 31,
  classes: [
    {
      priorityClass: PriorityClass.BATCH,
      waiting: 120,
      running: 8,
      backlogSeconds: 240,
      oldestSeconds: 31,
    },
  ],
  reasons: [
    { reason: WaitReason.CAPACITY, tasks: 100 },
    { reason: WaitReason.FAIR_SHARE, tasks: 20 },
  ],
  projects: [
    {
      project: "projects/a",
      waiting: 100,
      running: 6,
      usedSeconds: 90,
      usedShare: 0.75,
      dueShare: 0.5,
      weight: 1,
    },
  ],
  projectCount: 2,
  weights: 2,
  usedSeconds: 120,
  warmStarts: 3,
  coldStarts: 1,
};

const decision: ScalingDecision = {
  pool: "default",
  desired: 4,
  target: 2,
  reason: "backlog",
  bounds: ["max"],
  decideTime: new Date(nowMs - 4_000),
  retiring: 0,
  result: "applied",
};

const picture = (fields: Partial<FarmPicture> = {}): FarmPicture => ({
  address: "farm:50051",
  readAt: nowMs,
  pools: [],
  queues: [queue],
  workers: [worker(1), worker(2)],
  actuator: "kubernetes",
  scaling: [decision],
  ...fields,
});

const state = (fields: Partial<TopState> = {}): TopState => ({
  address: "farm:50051",
  nowMs,
  picture: picture(),
  problem: undefined,
  ...fields,
});

const large = { columns: 200, rows: 200, isColoured: false };

describe("a frame", () => {
  test("shows pools, autoscaler, queue, reasons, projects and workers", () => {
    expect(frame(state(), large)).toEqual([
      "zfarm top  farm:50051  12:00:03Z",
      "workers 2, 2 busy   tasks waiting 120   running 8   backlog 4 min of device time",
      "",
      "POOLS",
      "POOL     WORKERS  READY  BUSY  ASIDE  SLOTS  IN USE  COLD  MODEL",
      "default  2        0      2     0      8      100 %   25 %  -",
      "",
      "AUTOSCALER (KUBERNETES)",
      "POOL     DESIRED  TARGET  READY  STARTING  WHY           DONE     SINCE",
      "default  4        2       0      0         backlog, max  applied  4 s",
      "",
      "QUEUE",
      "POOL     CLASS  WAITING  RUNNING  BACKLOG  OLDEST",
      "default  batch  120      8        4 min    31 s",
      "",
      "WHY TASKS WAIT",
      "default: capacity 100, fair_share 20",
      "",
      "PROJECTS",
      "PROJECT  POOL     WAITING  RUNNING  USED  DUE",
      "a        default  100      6        75 %  50 %",
      "",
      "WORKERS",
      "WORKER  POOL     STATE  RUNNING  ADAPTERS  NODE    HEARD  WHY",
      "w001    default  busy   4/4      2/3/9     node-a  1 s",
      "w002    default  busy   4/4      2/3/9     node-a  1 s",
    ]);
  });

  test.each([
    [80, 24],
    [40, 12],
    [20, 3],
    [1, 1],
  ])("of %i columns and %i rows is never larger than they are", (columns, rows) => {
    const workers = Array.from({ length: 300 }, (_, index) => worker(index));

    const lines = frame(state({ picture: picture({ workers }) }), {
      columns,
      rows,
      isColoured: false,
    });

    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(columns);
  });

  test("cuts long lists and says how much is missing, with the troubled workers first", () => {
    const lock = { reason: "fan is loud", lockTime: new Date(nowMs - 60_000) };
    const workers = [
      ...Array.from({ length: 300 }, (_, index) => worker(index)),
      worker(998, { state: WorkerState.LOCKED, lock }),
      worker(999, {
        state: WorkerState.QUARANTINED,
        quarantine: { cause: "ENGINE_CRASHED", endTime: new Date(nowMs + 90_000) },
      }),
    ];

    const lines = frame(state({ picture: picture({ workers }) }), { ...large, rows: 30 });

    const from = lines.indexOf("WORKERS");
    expect(lines[from + 2]).toContain("ENGINE_CRASHED, for 90 s");
    expect(lines[from + 3]).toContain("locked 60 s ago (fan is loud)");
    expect(lines.at(-1)).toMatch(/^\.\.\. \d+ more$/);
    expect(lines).toHaveLength(30);
  });

  test("of a farm that does not answer shows why, and how old the rest is", () => {
    const problem = "nobody answered at farm:50051 (FARM_UNREACHABLE)";

    const first = frame(state({ picture: undefined, problem }), large);
    const later = frame(state({ nowMs: nowMs + 5_000, problem }), large);

    expect(first).toEqual(["zfarm top  farm:50051  12:00:03Z", problem]);
    expect(later[1]).toBe(`${problem}; what is shown is 5 s old`);
    expect(later).toContain("QUEUE");
  });

  test("has colours only where they are wanted, and no control characters of others", () => {
    const lock = { reason: "a\u001b[2Jb", lockTime: new Date(nowMs) };
    const shown = state({
      picture: picture({ workers: [worker(1, { state: WorkerState.LOCKED, lock })] }),
    });

    expect(frame(shown, large).join("\n")).not.toContain("\u001b");
    const coloured = frame(shown, { ...large, isColoured: true });
    expect(coloured[0]).toBe("\u001b[1mzfarm top  farm:50051  12:00:03Z\u001b[0m");
    expect(coloured.at(-1)).toContain("\u001b[33m");
    expect(coloured.join("\n")).not.toContain("\u001b[2J");
  });

  test("is the same for the same farm", () => {
    expect(frame(state(), large)).toEqual(frame(state(), large));
  });
});

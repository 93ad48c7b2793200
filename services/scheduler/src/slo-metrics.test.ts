import { describeFailure, type FailureReason, OutcomeKind, PriorityClass } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, outcomeOf } from "../testing/drive-core.ts";
import { countOutcome, countStarts, createSloMetrics, showOldest } from "./slo-metrics.ts";

function setUp() {
  const registry = new Registry();
  return { metrics: createSloMetrics(registry), read: () => registry.metrics() };
}

async function faultOf(reason: FailureReason): Promise<string | undefined> {
  const { metrics, read } = setUp();
  const failure = describeFailure(reason, "as it was");
  const outcome = { kind: OutcomeKind.FAILED, worker: "w", fence: 1n, attempt: 1, failure };
  countOutcome(metrics, outcome);
  return /outcome="failed",fault="(\w+)"\} 1$/m.exec(await read())?.[1];
}

describe("the metrics of objectives", () => {
  test.each([
    ["PROMPT_TOO_LONG", "task"],
    ["OUT_OF_MEMORY", "task"],
    ["NAN_OUTPUT", "farm"],
    ["POISONED", "farm"],
    ["UPLOAD_FAILED", "farm"],
    ["LORA_MISSING", "farm"],
  ] as const)("charge %s to the %s", async (reason, fault) => {
    expect(await faultOf(reason)).toBe(fault);
  });

  test("charge a job's own limit of failures to nobody", async () => {
    const { metrics, read } = setUp();
    const failure = describeFailure("JOB_FAILURE_BUDGET", "as it was");

    countOutcome(metrics, {
      kind: OutcomeKind.FAILED,
      worker: "",
      fence: 0n,
      attempt: 1,
      failure,
    });

    expect(await read()).toContain('zfarm_task_outcomes_total{outcome="failed",fault="none"} 1');
  });

  test("know a deadline that was met from one that was missed", async () => {
    const { metrics, read } = setUp();
    const { spec } = buildTask(0, { deadlineAt: 10_000 });
    if (spec === undefined) expect.unreachable();

    for (const [kind, endMs] of [
      [OutcomeKind.SUCCEEDED, 9_000],
      [OutcomeKind.SUCCEEDED, 11_000],
      [OutcomeKind.FAILED, 9_000],
      [OutcomeKind.CANCELED, 11_000],
    ] as const) {
      countOutcome(metrics, { ...outcomeOf(spec, kind), endTime: new Date(endMs) });
    }

    expect(await read()).toContain('zfarm_task_deadlines_total{result="met"} 1');
    expect(await read()).toContain('zfarm_task_deadlines_total{result="missed"} 2');
  });

  test("count a task's first start, and no later one", async () => {
    const { metrics, read } = setUp();
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.beat("w1", []);
    const grant = core.askFor("w1");
    if (grant === undefined) expect.unreachable();
    const acceptedMs = grant.leases[0]?.spec?.createTime?.getTime() ?? 0;

    countStarts(metrics, grant, acceptedMs + 20_000);
    const again = { ...grant, leases: grant.leases.map((lease) => ({ ...lease, attempt: 2 })) };
    countStarts(metrics, again, acceptedMs + 90_000);

    expect(await read()).toContain('zfarm_task_start_seconds_sum{class="standard"} 20');
    expect(await read()).toContain('zfarm_task_start_seconds_count{class="standard"} 1');
  });

  test("show how long the oldest task of each class has waited", async () => {
    const { metrics, read } = setUp();

    showOldest(metrics, "default", new Map([[PriorityClass.BATCH, 90_000]]));

    const text = await read();
    expect(text).toContain('zfarm_oldest_task_age_seconds{pool="default",class="batch"} 90');
    expect(text).toContain('zfarm_oldest_task_age_seconds{pool="default",class="interactive"} 0');
  });
});

import { OutcomeKind, type WorkerId } from "@zfarm/contract";
import { type Span, type SpanFacts, systemClock, type Tracing, tracingOff } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, idOf, outcomeOf } from "../testing/drive-core.ts";
import type { Grant } from "./domain/scheduler-effect.ts";
import { TaskTraces } from "./task-traces.ts";

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const granted = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";

interface Told {
  readonly name: string;
  readonly parent: string | undefined;
  readonly facts: SpanFacts;
  readonly startMs: number | undefined;
  failure: string | undefined;
}

/** Keeps what was told; every span says that it stands at `granted`. */
function recordTraces(): { tracing: Tracing; told: Told[] } {
  const told: Told[] = [];
  const begin: Tracing["begin"] = (name, parent, { facts = {}, startMs } = {}) => {
    const one: Told = { name, parent, facts, startMs, failure: undefined };
    told.push(one);
    const span: Span = {
      traceparent: granted,
      ids: {},
      child: () => span,
      set: () => undefined,
      event: () => undefined,
      fail: (reason) => {
        one.failure = reason;
      },
      end: () => undefined,
    };
    return span;
  };
  return { tracing: { isOn: true, begin }, told };
}

function tracedTask(index = 0) {
  const { spec, ...task } = buildTask(index);
  if (spec === undefined) expect.unreachable();
  return { ...task, spec: { ...spec, traceparent } };
}

function grantTo(core: CoreDriver, worker: string): Grant {
  core.beat(worker, []);
  const grant = core.askFor(worker);
  if (grant === undefined) expect.unreachable();
  return grant;
}

describe("the trace of a task", () => {
  test("is in its grant, whoever leads", () => {
    const task = tracedTask();
    for (const core of [CoreDriver.leading(), CoreDriver.leading()]) {
      core.store(task);
      expect(grantTo(core, "w1").leases[0]?.spec?.traceparent).toBe(traceparent);
    }
  });

  test("goes on beneath the wait that its grant ended", () => {
    const { tracing, told } = recordTraces();
    const core = CoreDriver.leading();
    core.store(tracedTask());

    const leases = new TaskTraces(tracing, systemClock).grant(grantTo(core, "w1"));

    expect(leases.map((lease) => lease.traceparent)).toEqual([granted]);
    expect(told).toMatchObject([{ name: "grant", parent: traceparent }]);
    expect(told[0]?.facts).toMatchObject({ "zfarm.worker": "w1", "zfarm.attempt": 1 });
  });

  test("tells of an attempt whose worker fell silent, and of no other", () => {
    const { tracing, told } = recordTraces();
    const traces = new TaskTraces(tracing, systemClock);
    const lease = { attempts: 0, fence: 7n, attempt: 1, grantedAt: 5_000 };
    const worker = "w1" as WorkerId;
    const released = { kind: "task-released", id: idOf(0), worker, traceparent, ...lease } as const;

    traces.released({ ...released, reason: "handed-back" });
    traces.released({ ...released, reason: "attempt-failed" });
    expect(told).toEqual([]);
    traces.released({ ...released, reason: "lease-expired" });

    expect(told).toMatchObject([
      { name: "attempt lost", parent: traceparent, startMs: 5_000, failure: "lease-expired" },
    ]);
  });

  test("tells of an end that no worker brought", () => {
    const { tracing, told } = recordTraces();
    const { spec } = tracedTask();
    const outcome = outcomeOf(spec, OutcomeKind.EXPIRED);

    new TaskTraces(tracing, systemClock).ended({
      kind: "publish-outcome",
      reason: "expired",
      id: idOf(0),
      outcome,
    });

    expect(told).toMatchObject([{ name: "end task", facts: { "zfarm.reason": "expired" } }]);
  });

  test("costs a grant nothing while tracing is off", () => {
    const core = CoreDriver.leading();
    core.store(tracedTask());
    const grant = grantTo(core, "w1");

    expect(new TaskTraces(tracingOff, systemClock).grant(grant)).toEqual([...grant.leases]);
  });
});

import { limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import type { Pod } from "./kubernetes-objects.ts";
import { toMember } from "./pod-member.ts";

const createdAt = Date.parse("2026-01-01T00:00:00Z");
const now = createdAt + 600_000;

const time = (ms: number): string => new Date(createdAt + ms).toISOString();

interface PodOptions {
  readonly conditions?: NonNullable<Pod["status"]>["conditions"];
  readonly containers?: NonNullable<Pod["status"]>["containerStatuses"];
  readonly metadata?: Partial<Pod["metadata"]>;
  readonly phase?: string;
}

function podOf({ conditions, containers, metadata, phase = "Running" }: PodOptions = {}): Pod {
  return {
    metadata: { name: "worker-a", creationTimestamp: time(0), ...metadata },
    status: { phase, conditions: conditions ?? [], containerStatuses: containers ?? [] },
  };
}

const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: time(1_000) };
const ready = { type: "Ready", status: "True", lastTransitionTime: time(90_000) };
const refused = { type: "PodScheduled", status: "False", reason: "Unschedulable" };
const waiting = (reason: string) => ({ restartCount: 0, state: { waiting: { reason } } });

describe("the worker in a pod", () => {
  test("is ready when the pod is, since its condition says so", () => {
    const member = toMember(podOf({ conditions: [scheduled, ready] }), now);

    expect(member).toEqual({
      worker: "worker-a",
      phase: "ready",
      createdAt,
      readyAt: createdAt + 90_000,
      isOnNewNode: false,
      phases: { node: 1_000 },
    });
  });

  test("came on a new node when the pod had to wait for one", () => {
    const late = { ...scheduled, lastTransitionTime: time(limits.kubernetesNewNodeMs + 1_000) };

    expect(toMember(podOf({ conditions: [late] }), now)?.isOnNewNode).toBe(true);
  });

  test.each([
    ["starting", [scheduled], [waiting("ContainerCreating")]],
    ["starting", [{ ...refused, lastTransitionTime: time(599_000) }], []],
    ["unschedulable", [{ ...refused, lastTransitionTime: time(0) }], []],
    ["crashing", [scheduled], [waiting("CrashLoopBackOff")]],
    ["crashing", [scheduled], [waiting("ImagePullBackOff")]],
    ["crashing", [scheduled], [{ restartCount: limits.kubernetesRestartsMax }]],
    ["ready", [scheduled, ready], [{ restartCount: limits.kubernetesRestartsMax }]],
  ])("is %s with conditions %j and containers %j", (phase, conditions, containers) => {
    expect(toMember(podOf({ conditions, containers }), now)?.phase).toBe(phase);
  });

  test("is stopping once the pod is told to, however ready it is", () => {
    const metadata = { deletionTimestamp: time(599_000) };

    const member = toMember(podOf({ conditions: [scheduled, ready], metadata }), now);

    expect(member?.phase).toBe("stopping");
  });

  test("tells nothing of its start when it was started again", () => {
    const restarted = podOf({ conditions: [scheduled, ready], containers: [{ restartCount: 1 }] });

    expect(toMember(restarted, now)).not.toHaveProperty("readyAt");
  });

  test.each(["Failed", "Succeeded"])("is gone when the pod has %s", (phase) => {
    expect(toMember(podOf({ phase }), now)).toBeUndefined();
  });
});

import { describe, expect, test } from "vitest";
import type { ContainerStatus, Pod } from "./kubernetes-objects.ts";
import { phasesOf } from "./start-phases.ts";

const createdAt = Date.parse("2026-01-01T00:00:00Z");
const known = { createdAt, scheduledAt: createdAt + 100_000, readyAt: createdAt + 240_000 };
const time = (ms: number): string => new Date(createdAt + ms).toISOString();

function podWith(worker: ContainerStatus["state"], fetching?: ContainerStatus["state"]): Pod {
  return {
    metadata: { name: "worker-a" },
    status: {
      containerStatuses: [worker === undefined ? {} : { state: worker }],
      ...(fetching === undefined ? {} : { initContainerStatuses: [{ state: fetching }] }),
    },
  };
}

describe("the phases of a start", () => {
  test("are the node's, the image's, the weights' and the worker's own", () => {
    const pod = podWith(
      { running: { startedAt: time(190_000) } },
      { terminated: { startedAt: time(130_000) } },
    );

    const phases = phasesOf(pod, known);

    expect(phases).toEqual({ node: 100_000, image: 30_000, weights: 60_000, worker: 50_000 });
    const total = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
    expect(total).toBe(known.readyAt - createdAt);
  });

  test("have no time for weights where nothing brings them", () => {
    const pod = podWith({ running: { startedAt: time(130_000) } });

    expect(phasesOf(pod, known)).toMatchObject({ image: 30_000, weights: 0, worker: 110_000 });
  });

  test("end with the node's where no container says when it started", () => {
    expect(phasesOf(podWith(undefined), known)).toEqual({ node: 100_000 });
  });
});

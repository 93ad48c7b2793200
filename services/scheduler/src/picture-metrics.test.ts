import { type Outcome, OutcomeKind, PriorityClass } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { describe, expect, it } from "vitest";
import { buildTask, outcomeOf } from "../testing/drive-core.ts";
import { createPictureMetrics } from "./picture-metrics.ts";

function endedAfter(seconds: number, kind: OutcomeKind): Outcome {
  const size = { width: 64, height: 128, steps: 5 };
  const { spec } = buildTask(0, { priorityClass: PriorityClass.BATCH, ...size });
  const acceptedMs = spec?.createTime?.getTime() ?? 0;
  return {
    ...outcomeOf(spec ?? expect.unreachable(), kind),
    endTime: new Date(acceptedMs + seconds * 1_000),
  };
}

describe("metrics of pictures", () => {
  it("tell how large finished pictures are, their steps, and how long they took", async () => {
    const registry = new Registry();
    const metrics = createPictureMetrics(registry);
    metrics.observe(endedAfter(15, OutcomeKind.SUCCEEDED));
    metrics.observe(endedAfter(7_000, OutcomeKind.FAILED));

    const text = await registry.metrics();
    expect(text).toContain("zfarm_image_pixels_sum 8192\n");
    expect(text).toContain("zfarm_inference_steps_sum 5\n");
    expect(text).toContain('zfarm_task_e2e_seconds_sum{class="batch"} 15\n');
    expect(text).toContain('zfarm_task_e2e_seconds_count{class="batch"} 1\n');
  });
});

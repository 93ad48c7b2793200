/** What pictures were made: how large, in how many steps, how long after they were accepted. */
import { limits, type Outcome, OutcomeKind } from "@zfarm/contract";
import { Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import { className, classNames } from "./slo-metrics.ts";

export interface PictureMetrics {
  /** Passes over what did not become a picture. */
  observe(outcome: Outcome): void;
}

/** Pixels of squares from the smallest side to the largest. */
const pixelBuckets = [64, 128, 256, 512, 768, 1_024, 1_536, 2_048].map((side) => side ** 2);
/** From distilled models to the most that anybody may ask for. */
const stepBuckets = [1, 2, 4, 8, 12, 20, 30, limits.stepsMax];
/** Seconds: from one small picture to the end of a night's batch. */
const secondsBuckets = [1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3_600, 14_400, 43_200];

export function createPictureMetrics(registry: Registry): PictureMetrics {
  const registers = [registry];
  const pixels = new Histogram({
    name: "zfarm_image_pixels",
    help: "Width times height of finished pictures.",
    buckets: pixelBuckets,
    registers,
  });
  const steps = new Histogram({
    name: "zfarm_inference_steps",
    help: "Denoise steps that finished pictures were asked for with.",
    buckets: stepBuckets,
    registers,
  });
  const seconds = new Histogram({
    name: "zfarm_task_e2e_seconds",
    help: "From acceptance to the finished picture, by class.",
    labelNames: ["class"],
    buckets: secondsBuckets,
    registers,
  });
  startAtZero(seconds, { class: classNames });
  return {
    observe: ({ kind, spec, endTime }) => {
      if (kind !== OutcomeKind.SUCCEEDED || spec === undefined) return;
      const { image, createTime, priority } = spec;
      if (image !== undefined) {
        pixels.observe(image.width * image.height);
        steps.observe(image.steps);
      }
      if (createTime === undefined || endTime === undefined) return;
      const ms = endTime.getTime() - createTime.getTime();
      seconds.observe({ class: className(priority?.priorityClass) }, Math.max(0, ms) / 1_000);
    },
  };
}

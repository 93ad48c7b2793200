/**
 * Entry of a scheduler under test: the product's, except that its autoscaler waits for seconds
 * where the product waits for minutes. What it decides, and in which order, stays the same.
 */
import { limits } from "@zfarm/contract";

Object.assign(limits, {
  autoscaleColdStartMs: 2_000,
  autoscaleColdStartMsMax: 2_000,
  autoscaleHoldMs: 3_000,
  autoscaleLevelMs: 2_000,
  autoscalePanicMs: 1_000,
  autoscaleStepMs: 1_000,
  autoscaleTrendMs: 6_000,
} satisfies Partial<Record<keyof typeof limits, number>>);

await import("../../../services/scheduler/src/main.ts");

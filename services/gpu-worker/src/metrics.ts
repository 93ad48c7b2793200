/** The worker's metrics; labels come from closed sets only. */
import { Counter, Gauge, Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import type { StageTimings } from "./domain/outcome.ts";

/** How an attempt ended here, as a label. */
export type AttemptEnd = (typeof attemptEnds)[number];
const attemptEnds = ["succeeded", "failed", "canceled", "lost", "handed_back", "unknown"] as const;

/** What became of latents that another worker had left, as a label. */
export type ResumeResult = (typeof resumeResults)[number];
const resumeResults = ["resumed", "missing", "mismatch", "damaged"] as const;

/** Names of stages as labels, and where an outcome has their times. */
const stages = {
  queue: "queueMs",
  text_encode: "textEncodeMs",
  denoise: "denoiseMs",
  vae_decode: "vaeDecodeMs",
  encode_file: "encodeFileMs",
  upload: "uploadMs",
} as const;

export type WorkerMetrics = ReturnType<typeof createMetrics>;

/** From a nano step on a fast core to a big picture on a slow one, in seconds. */
const secondsBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

export function createMetrics(registry: Registry) {
  const metrics = defineMetrics(registry);
  startAtZero(metrics.stageSeconds, { stage: Object.keys(stages) });
  startAtZero(metrics.imagesTotal, { outcome: attemptEnds });
  startAtZero(metrics.resumesTotal, { result: resumeResults });
  return metrics;
}

function defineMetrics(registry: Registry) {
  const registers = [registry];
  return {
    stageSeconds: new Histogram({
      name: "zfarm_stage_seconds",
      help: "Time one picture spent in a stage, from acceptance to upload.",
      labelNames: ["stage"],
      buckets: secondsBuckets,
      registers,
    }),
    denoiseStepSeconds: new Histogram({
      name: "zfarm_denoise_step_seconds",
      help: "Time of one denoise run, whatever the number of pictures in it.",
      buckets: secondsBuckets,
      registers,
    }),
    batchSize: new Histogram({
      name: "zfarm_batch_size",
      help: "Pictures that shared one denoise run.",
      buckets: [1, 2, 3, 4, 6, 8],
      registers,
    }),
    imagesTotal: new Counter({
      name: "zfarm_images_total",
      help: "Attempts by how they ended on this worker.",
      labelNames: ["outcome"],
      registers,
    }),
    stepsSavedTotal: new Counter({
      name: "zfarm_worker_steps_saved_total",
      help: "Denoise steps that were never run because their task was canceled.",
      registers,
    }),
    resumesTotal: new Counter({
      name: "zfarm_worker_resumes_total",
      help: "Tasks that came with another worker's latents, by whether they could be gone on with.",
      labelNames: ["result"],
      registers,
    }),
    duplicateResultsTotal: new Counter({
      name: "zfarm_duplicate_results_total",
      help: "Pictures that were finished after someone else had ended their task.",
      registers,
    }),
    engineRestartsTotal: new Counter({
      name: "zfarm_engine_restarts_total",
      help: "Times the engine process was started again after it ended.",
      registers,
    }),
    staleEpochsTotal: new Counter({
      name: "zfarm_stale_epochs_total",
      help: "Grants and commands refused because a newer leader had been heard.",
      registers,
    }),
    tasksHeld: new Gauge({
      name: "zfarm_worker_tasks_held",
      help: "Tasks this worker holds a lease for.",
      registers,
    }),
  };
}

export function observeStages(metrics: WorkerMetrics, timings: StageTimings): void {
  for (const [stage, timing] of Object.entries(stages)) {
    metrics.stageSeconds.observe({ stage }, timings[timing] / 1_000);
  }
}

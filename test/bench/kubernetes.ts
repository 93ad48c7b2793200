/**
 * The largest farm on a real control plane: from 0 workers to a thousand and back, each a simulated
 * one behind a pod. `npm run bench:kubernetes [-- --workers N --tasks N --ms N]` (pictures for each
 * worker, milliseconds of a step) prints one JSON object as its last line.
 */
import { parseArgs } from "node:util";
import { openMirroredFarm } from "../k8s/mirrored-farm.ts";
import { runScaleRound } from "../k8s/scale-round.ts";

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "1000" },
    tasks: { type: "string", default: "8" },
    ms: { type: "string", default: "500" },
  },
});
const workers = Number(values.workers);
const tasksPerWorker = Number(values.tasks);
const msPerStep = Number(values.ms);
const on = await openMirroredFarm({ workersMax: workers, msPerStep });
try {
  const result = await runScaleRound(on, { workers, tasksPerWorker, withinMs: 240_000 });
  process.stdout.write(`${JSON.stringify({ workers, tasksPerWorker, msPerStep, ...result })}\n`);
} finally {
  await on.stop();
}

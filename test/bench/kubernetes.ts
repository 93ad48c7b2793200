/**
 * The largest farm on a real control plane: from 0 workers to a thousand and back, each a simulated
 * one behind a pod. `npm run bench:kubernetes [-- --workers N --tasks N --ms N --kill-leaders]`
 * (pictures for each worker, milliseconds of a step) prints one JSON object as its last line. With
 * --kill-leaders the leader is killed while the farm grows, and the next one while it shrinks.
 */
import { parseArgs } from "node:util";
import { killLeaders } from "../k8s/kill-leaders.ts";
import { openMirroredFarm } from "../k8s/mirrored-farm.ts";
import { runScaleRound } from "../k8s/scale-round.ts";

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "1000" },
    tasks: { type: "string", default: "8" },
    ms: { type: "string", default: "500" },
    "kill-leaders": { type: "boolean", default: false },
  },
});
const workers = Number(values.workers);
const tasksPerWorker = Number(values.tasks);
const msPerStep = Number(values.ms);
const on = await openMirroredFarm({ workersMax: workers, msPerStep });
try {
  const onLook = values["kill-leaders"] ? killLeaders(on, workers) : () => undefined;
  const round = { workers, tasksPerWorker, withinMs: 240_000, onLook };
  const result = await runScaleRound(on, round);
  process.stdout.write(`${JSON.stringify({ workers, tasksPerWorker, msPerStep, ...result })}\n`);
} finally {
  await on.stop();
}

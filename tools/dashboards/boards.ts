/** All dashboards, in the order of the guide. */
import type { BoardSpec } from "./board.ts";
import { autoscaler } from "./boards/autoscaler.ts";
import { overview } from "./boards/overview.ts";
import { project } from "./boards/project.ts";
import { queue } from "./boards/queue.ts";
import { storage } from "./boards/storage.ts";
import { workers } from "./boards/workers.ts";

export const boards: readonly BoardSpec[] = [
  overview,
  queue,
  autoscaler,
  workers,
  storage,
  project,
];

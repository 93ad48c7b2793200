/** What requests, records and tasks look like where a test is about something else. */
import type { Broker } from "@zfarm/broker";
import {
  defaultPool,
  defaultProject,
  type ImageSpec,
  type LoraId,
  type PoolRecord,
  type TaskSpec,
} from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import type { Admission } from "../src/admission/admit-job.ts";
import type { JobManifests } from "../src/admission/job-manifests.ts";
import { ProjectQuotas } from "../src/admission/project-quotas.ts";
import type { NewVersion } from "../src/domain/lora-record.ts";
import { fillScheduling } from "../src/domain/scheduling-rules.ts";
import { createGatewayMetrics } from "../src/metrics.ts";
import { OutcomeFeed } from "../src/outcome-feed.ts";

/** Of a distilled model, without adapters. */
export const plainPool: PoolRecord = {
  pool: defaultPool,
  model: "test",
  modelDigest: "digest",
  sizeMultiple: 16,
  pixelsMax: 1_024 * 1_024,
  stepsDefault: 8,
  widthDefault: 256,
  heightDefault: 256,
};

export function image(fields: Partial<ImageSpec> = {}): ImageSpec {
  const size = { width: 256, height: 256, steps: 8 };
  return { prompt: "a red house", ...size, seed: undefined, loras: [], ...fields };
}

/** A valid request for so many pictures. */
export function admission(count: number, { requestId = "r", digest = "content" } = {}): Admission {
  return {
    submission: {
      project: defaultProject,
      pool: defaultPool,
      requestId,
      displayName: "",
      images: Array.from({ length: count }, () => image()),
      scheduling: fillScheduling(undefined, "images"),
    },
    digest,
  };
}

export function admitNeeds(broker: Broker, manifests?: JobManifests) {
  return {
    broker,
    quotas: new ProjectQuotas({ broker, log: silentLog }),
    room: { take: async () => true },
    manifests,
    drain: { estimateMs: async () => 2_000 },
    feed: new OutcomeFeed({ outcomes: broker.outcomes, log: silentLog }),
    clock: systemClock,
    log: silentLog,
    metrics: createGatewayMetrics(new Registry()),
  };
}

/** The broker, but that something happens before the nth message of tasks is added. */
export function beforeAdd(broker: Broker, hook: (adds: number) => Promise<void>): Broker {
  let adds = 0;
  const { queue } = broker;
  return {
    ...broker,
    queue: {
      bundlesOf: (specs) => queue.bundlesOf(specs),
      addBundle: async (specs) => {
        adds += 1;
        await hook(adds);
        return await queue.addBundle(specs);
      },
      add: (task) => queue.add(task),
      rewrite: (task, revision) => queue.rewrite(task, revision),
      remove: (revision) => queue.remove(revision),
      removeBefore: (revision) => queue.removeBefore(revision),
      find: (pool, id) => queue.find(pool, id),
      follow: (stop) => queue.follow(stop),
    },
  };
}

/** The tasks that wait, in the order of their writing. */
export async function waitingTasks(broker: Broker): Promise<TaskSpec[]> {
  const specs: TaskSpec[] = [];
  for await (const followed of broker.queue.follow(new AbortController().signal)) {
    if (followed.kind === "caught-up") break;
    for (const { task } of followed.entries) if (task.spec !== undefined) specs.push(task.spec);
  }
  return specs;
}

/** A file that the gate found good, as a new version of `ink`. */
export function newVersion(sha256: string, version?: string): NewVersion {
  return {
    name: { project: defaultProject, lora: "ink" as LoraId },
    version,
    file: { sha256, pool: defaultPool, report: undefined },
    architecture: { dim: 1, layers: 1, refinerLayers: 1, ffnDim: 1, modulationDim: 1 },
    about: { displayName: "", labels: new Map(), triggerWords: [], pinned: false },
  };
}

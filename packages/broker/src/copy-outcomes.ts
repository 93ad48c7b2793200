/**
 * Outcomes that survive the loss of the broker: each is copied to the object store before it is
 * published, under the fence of its attempt. Whoever is told of an outcome can rely on its copy.
 */
import { FarmError, Outcome, outcomeCopyKey, type TaskId, taskIdOf } from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";
import type { OutcomeLog } from "./broker.ts";
import { encode } from "./codec.ts";

/** What copying needs of an object store. */
export interface CopyStore {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  remove(key: string): Promise<void>;
}

/** The same log, whose outcomes are copied. STORE_UNAVAILABLE joins the failures of publish. */
export function copyOutcomes(log: OutcomeLog, store: CopyStore): OutcomeLog {
  return {
    publish: async (outcome) => {
      const id = await putCopy(store, outcome);
      const told = await log.publish(outcome);
      if (told === "lost") await correctCopy({ log, store, id }, outcome.fence);
      return told;
    },
    find: (id) => log.find(id),
    list: (job) => log.list(job),
    listProject: (project, max) => log.listProject(project, max),
    lastRevision: () => log.lastRevision(),
    follow: (options) => log.follow(options),
  };
}

/** An outcome from its copy's bytes; undefined where they hold none. */
export function readOutcomeCopy(bytes: Uint8Array): Outcome | undefined {
  try {
    const outcome = Outcome.decode(bytes);
    return outcome.spec === undefined ? undefined : outcome;
  } catch {
    // A store may hold anything; without a copy the task is rendered again.
    return undefined;
  }
}

async function putCopy(store: CopyStore, outcome: Outcome): Promise<TaskId> {
  invariant(outcome.spec !== undefined, "an outcome has a spec");
  const id = taskIdOf(outcome.spec);
  const bytes = encode(Outcome, outcome);
  await store.put(outcomeCopyKey(id, outcome.fence), bytes, "application/x-protobuf");
  return id;
}

interface LostCopy {
  readonly log: OutcomeLog;
  readonly store: CopyStore;
  readonly id: TaskId;
}

/** A copy of what lost would be taken for the outcome after a loss; it goes as far as it can. */
async function correctCopy({ log, store, id }: LostCopy, fence: bigint): Promise<void> {
  try {
    const standing = await log.find(id);
    // The winner of the same fence has its copy in the same place.
    if (standing?.outcome.fence === fence) await putCopy(store, standing.outcome);
    else await store.remove(outcomeCopyKey(id, fence));
  } catch (error) {
    // That it lost is certain all the same; the sweep removes what this could not.
    if (!(error instanceof FarmError)) throw error;
  }
}

/** Ends what has not ended: one CANCELED outcome per unfinished task; the first outcome wins. */
import {
  type JobRecord,
  limits,
  OutcomeKind,
  type PoolId,
  type TaskId,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import type { GatewayNeeds } from "../needs.ts";

type CancelNeeds = Pick<GatewayNeeds, "broker" | "clock" | "manifests">;

/** Cancels every task of the job that has no outcome. Harmless when repeated. */
export async function cancelUnfinished(needs: CancelNeeds, record: JobRecord): Promise<void> {
  const job = taskIdOf({ ...record, index: 0 });
  const log = needs.manifests?.outcomes ?? needs.broker.outcomes;
  const outcomes = await log.list(job);
  const ended = new Set(outcomes.map(({ outcome }) => outcome.spec?.index));
  const open = Array.from({ length: record.taskCount }, (_, index) => index).filter(
    (index) => !ended.has(index),
  );
  await forEachBounded(open, limits.lookupParallel, async (index) => {
    const spec = await specOf(needs, record, { ...job, index });
    await log.publish({
      spec,
      kind: OutcomeKind.CANCELED,
      worker: "",
      fence: 0n,
      attempt: 0,
      endTime: new Date(needs.clock.now()),
    });
  });
}

/** The task's spec while it is queued, for the outcome to keep; else only whose outcome it is. */
async function specOf({ broker }: CancelNeeds, record: JobRecord, id: TaskId): Promise<TaskSpec> {
  const stored = await broker.queue.find(record.pool as PoolId, id);
  return stored?.task.spec ?? { ...id, pool: record.pool, createTime: record.createTime };
}

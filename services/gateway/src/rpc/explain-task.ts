/** JobService.ExplainTask: why one task waits, or that it does not. */
import {
  ExplainTaskRequest,
  type ExplainTaskResponse,
  FarmError,
  jobName,
  limits,
  parseTaskName,
  type TaskId,
  TaskState,
  taskName,
} from "@zfarm/contract";
import { taskStateOf } from "../domain/job-state.ts";
import { invalidField } from "../domain/violations.ts";
import type { GatewayNeeds } from "../needs.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { findJob, isRunning, liveTasks } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const explainTask: UnaryMethod<ExplainTaskRequest, ExplainTaskResponse> = {
  name: "ExplainTask",
  decode: (bytes) => decodeRequest(ExplainTaskRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const id = parseTaskName(name);
    if (id === undefined) {
      const description = "must be projects/{project}/jobs/{job}/tasks/{index}";
      throw invalidField("name", { reason: "BAD_NAME", description });
    }
    scope.note({ job_id: id.job });
    const { record } = await findJob(needs, jobName(id), "name");
    if (id.index >= record.taskCount) {
      throw new FarmError("TASK_NOT_FOUND", `there is no task ${taskName(id)}`);
    }
    return await explain(needs, id);
  },
};

async function explain(needs: GatewayNeeds, id: TaskId): Promise<ExplainTaskResponse> {
  const { broker } = needs;
  const stored = await broker.outcomes.find(id);
  if (stored !== undefined) return { state: taskStateOf(stored.outcome.kind) };
  const live = (await liveTasks(needs, id)).get(id.index);
  if (live !== undefined && isRunning(live)) return { state: TaskState.RUNNING };
  const { project, job, index } = id;
  const value = { project, job, index };
  const { explanations } = await askLeader(broker, { $case: "explain", value });
  return { state: TaskState.PENDING, explanation: explanations[0] };
}

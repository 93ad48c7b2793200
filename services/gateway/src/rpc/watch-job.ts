/**
 * JobService.WatchJob: every outcome once and in order, then the job. All state is in the token
 * and in OUTCOMES, so a watch goes on at any gateway. Progress is sent only while the client
 * keeps up.
 */

import type { StoredOutcome } from "@zfarm/broker";
import {
  FarmError,
  limits,
  type Progress,
  type Task,
  taskIdOf,
  taskName,
  WatchJobRequest,
  type WatchJobResponse,
} from "@zfarm/contract";
import { decodeResumeToken, type ResumePoint } from "../domain/tokens.ts";
import { invalidField } from "../domain/violations.ts";
import { type Told, WatchPosition } from "../domain/watch-position.ts";
import type { GatewayNeeds } from "../needs.ts";
import type { CallScope } from "./call-scope.ts";
import { decodeRequest } from "./decode.ts";
import type { EventWriter } from "./event-writer.ts";
import { type FoundJob, findJob, viewJob } from "./job-lookup.ts";
import type { StreamMethod } from "./serve-call.ts";
import { endedTasks } from "./task-view.ts";
import { wishPreviews } from "./wish-previews.ts";

interface Watch {
  readonly found: FoundJob;
  readonly position: WatchPosition;
  readonly scope: CallScope;
  readonly events: EventWriter<WatchJobResponse>;
  /** Events that one answer may hold. */
  readonly eventsMax: number;
  /** Indexes of the tasks that ended, delivered or not. */
  readonly ended: Set<number>;
  readonly previews: boolean;
}

export const watchJob: StreamMethod<WatchJobRequest, WatchJobResponse> = {
  name: "WatchJob",
  decode: (bytes) => decodeRequest(WatchJobRequest, bytes),
  deadlineMs: limits.watchMs,
  drain: "end",
  run: async (request, { scope, events }, needs) => {
    const found = await findJob(needs, request.name, "name");
    scope.note({ job_id: found.ref.job, resumed: request.resumeToken !== "" });
    const after = await resumePoint(needs, found, request.resumeToken);
    const previews = request.previews === true;
    const eventsMax = request.takeSeveral === true ? limits.watchEventsMax : 1;
    const position = new WatchPosition(found.ref, after);
    const watch: Watch = { found, position, scope, events, eventsMax, ended: new Set(), previews };
    const over = new AbortController();
    if (previews) void wishPreviews(needs, found.ref, over.signal);
    // Outcomes do not wait for it: progress may be dropped.
    const subscribing = needs.broker.progress.subscribe(found.ref, (progress) => {
      offerProgress(watch, progress);
    });
    needs.metrics.watchers.inc();
    try {
      await Promise.all([subscribing, sendJob(needs, watch)]);
    } finally {
      over.abort();
      needs.metrics.watchers.dec();
      void subscribing.then(
        (unsubscribe) => unsubscribe(),
        (error: unknown) => needs.log.debug({ error }, "progress was not subscribed to"),
      );
    }
  },
};

async function resumePoint(
  { broker }: GatewayNeeds,
  { ref }: FoundJob,
  token: string,
): Promise<ResumePoint> {
  if (token === "") return { revision: 0n, told: undefined };
  const point = decodeResumeToken(ref, token);
  if (point === undefined) {
    const description = "must be a resume_token that a watch of this job returned";
    throw invalidField("resume_token", { reason: "BAD_TOKEN", description });
  }
  if (point.revision > (await broker.outcomes.lastRevision())) {
    const message = "the resume_token is newer than anything the farm knows; watch from the start";
    throw new FarmError("RESUME_TOKEN_EXPIRED", message);
  }
  return point;
}

async function sendJob(needs: GatewayNeeds, watch: Watch): Promise<void> {
  const { found, scope, ended, position } = watch;
  if (found.record.taskCount === 0) return;
  // From the start even when resuming: how many have ended is what says when the job has.
  for await (const followed of needs.feed.follow(found.ref, scope.signal)) {
    const entries = followed.kind === "caught-up" ? [] : followed.entries;
    const news = entries.filter((entry) => isNews(entry, ended));
    const isOver = ended.size >= found.record.taskCount;
    const isCaughtUp = isOver || followed.kind === "caught-up";
    await sendOutcomes(needs, watch, position.take(news, isCaughtUp));
    if (!isOver) continue;
    const value = await viewJob(needs, found, { outcomes: position.all });
    await watch.events.send({ resumeToken: "", event: { $case: "jobEnded", value } });
    return;
  }
  throw endOf(scope);
}

/** Whether this is the task's first outcome here; notes that the task has ended. */
function isNews({ outcome }: StoredOutcome, ended: Set<number>): boolean {
  const index = outcome.spec?.index ?? -1;
  if (ended.has(index)) return false;
  ended.add(index);
  return true;
}

/** In as few answers as the client takes: each costs more than one event in it. */
async function sendOutcomes(
  needs: GatewayNeeds,
  { events, eventsMax }: Watch,
  outcomes: readonly Told[],
): Promise<void> {
  for (let next = 0; next < outcomes.length; next += eventsMax) {
    const some = outcomes.slice(next, next + eventsMax);
    const tasks = await endedTasks(
      needs,
      some.map(({ outcome }) => outcome),
    );
    const [first, ...more] = tasks.map((value, index) =>
      taskEnded(value, some[index]?.token ?? ""),
    );
    if (first === undefined) return;
    await events.send(more.length === 0 ? first : { ...first, more: { events: more } });
  }
}

function taskEnded(value: Task, resumeToken: string): WatchJobResponse {
  return { resumeToken, event: { $case: "taskEnded", value } };
}

function offerProgress({ events, ended, previews }: Watch, progress: Progress): void {
  if (ended.has(progress.index)) return;
  const task = taskName(taskIdOf(progress));
  switch (progress.event?.$case) {
    case "step": {
      const { index: step, total } = progress.event.value;
      const value = { task, step, total };
      events.offer({ resumeToken: "", event: { $case: "progress", value } });
      return;
    }
    case "preview": {
      if (!previews) return;
      const { index: step, total, image } = progress.event.value;
      const value = { task, step, total, image };
      events.offer({ resumeToken: "", event: { $case: "preview", value } });
      return;
    }
    default:
      return;
  }
}

/** Its own time being over is no failure of a watch: the client resumes it. */
function endOf({ signal }: CallScope): FarmError {
  if (!signal.aborted) return new FarmError("BROKER_UNAVAILABLE", "the broker ended the watch");
  const reason = FarmError.from(signal.reason);
  if (reason.code !== "DEADLINE_EXCEEDED") return reason;
  return new FarmError("WATCH_ENDED", "the watch lived its time; resume it with the last token");
}

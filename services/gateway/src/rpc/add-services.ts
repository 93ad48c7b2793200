/** Which method answers which call of the API. */
import type { Server, ServiceDefinition } from "@grpc/grpc-js";
import {
  FleetServiceService,
  JobServiceService,
  LoraServiceService,
  RenderServiceService,
} from "@zfarm/contract";
import { approveJob } from "./approve-job.ts";
import { cancelJob } from "./cancel-job.ts";
import { checkLora } from "./check-lora.ts";
import { createJob } from "./create-job.ts";
import { deleteLora } from "./delete-lora.ts";
import { drain } from "./drain.ts";
import { explainJob } from "./explain-job.ts";
import { explainTask } from "./explain-task.ts";
import { forgiveWorker } from "./forgive-worker.ts";
import { getJob } from "./get-job.ts";
import { getLora } from "./get-lora.ts";
import { getLoraResidency } from "./get-lora-residency.ts";
import { getPool } from "./get-pool.ts";
import { getPoolPolicy } from "./get-pool-policy.ts";
import { getProjectPolicy } from "./get-project-policy.ts";
import { getQueueStatistics } from "./get-queue-statistics.ts";
import { getScalingStatus } from "./get-scaling-status.ts";
import { getWorker } from "./get-worker.ts";
import { listLoras } from "./list-loras.ts";
import { listPools } from "./list-pools.ts";
import { listTasks } from "./list-tasks.ts";
import { listVictims } from "./list-victims.ts";
import { listWorkers } from "./list-workers.ts";
import { lockWorker } from "./lock-worker.ts";
import { pauseJob } from "./pause-job.ts";
import { prefetchLora } from "./prefetch-lora.ts";
import { quarantineWorker } from "./quarantine-worker.ts";
import { renderImage } from "./render-image.ts";
import { resume } from "./resume.ts";
import { resumeJob } from "./resume-job.ts";
import { retryJob } from "./retry-job.ts";
import { type Serving, serveStream, serveUnary, serveUpload } from "./serve-call.ts";
import { streamRender } from "./stream-render.ts";
import { unlockWorker } from "./unlock-worker.ts";
import { updateJob } from "./update-job.ts";
import { updateLora } from "./update-lora.ts";
import { updatePoolPolicy } from "./update-pool-policy.ts";
import { updateProjectPolicy } from "./update-project-policy.ts";
import { uploadLora } from "./upload-lora.ts";
import { watchJob } from "./watch-job.ts";

/** Methods by the names that the API has for them. */
type Methods<Service> = Record<keyof Service, Served>;

type Served = ReturnType<typeof serveUnary | typeof serveStream | typeof serveUpload>;

export function addServices(server: Server, serving: Serving): void {
  server.addService(undecoded(RenderServiceService), {
    renderImage: serveUnary(serving, renderImage),
    streamRender: serveStream(serving, streamRender),
  } satisfies Methods<typeof RenderServiceService>);
  server.addService(undecoded(JobServiceService), {
    createJob: serveUnary(serving, createJob),
    getJob: serveUnary(serving, getJob),
    listTasks: serveUnary(serving, listTasks),
    watchJob: serveStream(serving, watchJob),
    cancelJob: serveUnary(serving, cancelJob),
    pauseJob: serveUnary(serving, pauseJob),
    resumeJob: serveUnary(serving, resumeJob),
    approveJob: serveUnary(serving, approveJob),
    retryJob: serveUnary(serving, retryJob),
    updateJob: serveUnary(serving, updateJob),
    explainJob: serveUnary(serving, explainJob),
    explainTask: serveUnary(serving, explainTask),
  } satisfies Methods<typeof JobServiceService>);
  server.addService(undecoded(FleetServiceService), {
    listWorkers: serveUnary(serving, listWorkers),
    getWorker: serveUnary(serving, getWorker),
    drain: serveUnary(serving, drain),
    resume: serveUnary(serving, resume),
    lockWorker: serveUnary(serving, lockWorker),
    unlockWorker: serveUnary(serving, unlockWorker),
    quarantineWorker: serveUnary(serving, quarantineWorker),
    forgiveWorker: serveUnary(serving, forgiveWorker),
    listVictims: serveUnary(serving, listVictims),
    getProjectPolicy: serveUnary(serving, getProjectPolicy),
    updateProjectPolicy: serveUnary(serving, updateProjectPolicy),
    getPoolPolicy: serveUnary(serving, getPoolPolicy),
    updatePoolPolicy: serveUnary(serving, updatePoolPolicy),
    listPools: serveUnary(serving, listPools),
    getPool: serveUnary(serving, getPool),
    getScalingStatus: serveUnary(serving, getScalingStatus),
    getQueueStatistics: serveUnary(serving, getQueueStatistics),
  } satisfies Methods<typeof FleetServiceService>);
  server.addService(undecoded(LoraServiceService), {
    uploadLora: serveUpload(serving, uploadLora),
    checkLora: serveUpload(serving, checkLora),
    getLora: serveUnary(serving, getLora),
    listLoras: serveUnary(serving, listLoras),
    updateLora: serveUnary(serving, updateLora),
    deleteLora: serveUnary(serving, deleteLora),
    prefetchLora: serveUnary(serving, prefetchLora),
    getLoraResidency: serveUnary(serving, getLoraResidency),
  } satisfies Methods<typeof LoraServiceService>);
}

/** The service with its requests left as bytes; decode.ts says why. */
function undecoded(service: ServiceDefinition): ServiceDefinition {
  const identity = (bytes: Buffer): Buffer => bytes;
  const methods = Object.entries(service).map(([name, method]) => [
    name,
    { ...method, requestSerialize: identity, requestDeserialize: identity },
  ]);
  return Object.fromEntries(methods);
}

/** The form of a row of the corpus, and how rows are written down briefly. */
import {
  CreateJobRequest,
  type ImageSpec,
  RenderImageRequest,
  StreamRenderRequest,
} from "@zfarm/contract";

export interface BadRequest {
  readonly name: string;
  /** Path of the method, for example `/zfarm.v1.JobService/GetJob`. */
  readonly method: string;
  readonly bytes: Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Name of the expected gRPC status. */
  readonly code: string;
  /** ErrorInfo.reason; absent where grpc-js itself answers. */
  readonly reason?: string;
  /** The violations expected, each as `field REASON`, all of them and in order. */
  readonly violations?: readonly string[];
  /** What the text must name, usually the bound. */
  readonly tells?: string;
}

/** Stands in every row's user text; no answer may repeat it. */
export const secret = "Zq7-unmistakable";

export const methods = {
  render: "/zfarm.v1.RenderService/RenderImage",
  stream: "/zfarm.v1.RenderService/StreamRender",
  create: "/zfarm.v1.JobService/CreateJob",
  get: "/zfarm.v1.JobService/GetJob",
  list: "/zfarm.v1.JobService/ListTasks",
  watch: "/zfarm.v1.JobService/WatchJob",
  cancel: "/zfarm.v1.JobService/CancelJob",
  pause: "/zfarm.v1.JobService/PauseJob",
  resumeJob: "/zfarm.v1.JobService/ResumeJob",
  approve: "/zfarm.v1.JobService/ApproveJob",
  retry: "/zfarm.v1.JobService/RetryJob",
  update: "/zfarm.v1.JobService/UpdateJob",
  explain: "/zfarm.v1.JobService/ExplainJob",
  explainTask: "/zfarm.v1.JobService/ExplainTask",
  workers: "/zfarm.v1.FleetService/ListWorkers",
  drain: "/zfarm.v1.FleetService/Drain",
  resume: "/zfarm.v1.FleetService/Resume",
  forgive: "/zfarm.v1.FleetService/ForgiveWorker",
  victims: "/zfarm.v1.FleetService/ListVictims",
  getPolicy: "/zfarm.v1.FleetService/GetProjectPolicy",
  uploadLora: "/zfarm.v1.LoraService/UploadLora",
  checkLora: "/zfarm.v1.LoraService/CheckLora",
  getLora: "/zfarm.v1.LoraService/GetLora",
  listLoras: "/zfarm.v1.LoraService/ListLoras",
  updateLora: "/zfarm.v1.LoraService/UpdateLora",
  deleteLora: "/zfarm.v1.LoraService/DeleteLora",
  prefetchLora: "/zfarm.v1.LoraService/PrefetchLora",
  loraResidency: "/zfarm.v1.LoraService/GetLoraResidency",
  setPolicy: "/zfarm.v1.FleetService/UpdateProjectPolicy",
  getPoolPolicy: "/zfarm.v1.FleetService/GetPoolPolicy",
  setPoolPolicy: "/zfarm.v1.FleetService/UpdatePoolPolicy",
  getWorker: "/zfarm.v1.FleetService/GetWorker",
  lock: "/zfarm.v1.FleetService/LockWorker",
  unlock: "/zfarm.v1.FleetService/UnlockWorker",
  quarantine: "/zfarm.v1.FleetService/QuarantineWorker",
  getPool: "/zfarm.v1.FleetService/GetPool",
  queue: "/zfarm.v1.FleetService/GetQueueStatistics",
} as const;

/** A valid picture, but for the fields given. */
export function image(fields: Partial<ImageSpec> = {}): ImageSpec {
  const valid = { prompt: `a red house ${secret}`, width: 256, height: 256, steps: 8 };
  return { ...valid, seed: 1n, loras: [], ...fields };
}

export function renderBytes(fields: Partial<RenderImageRequest> = {}): Uint8Array {
  return RenderImageRequest.encode(
    RenderImageRequest.create({ image: image(), ...fields }),
  ).finish();
}

export function streamBytes(fields: Partial<StreamRenderRequest> = {}): Uint8Array {
  const request = StreamRenderRequest.create({ image: image(), ...fields });
  return StreamRenderRequest.encode(request).finish();
}

export function createBytes(fields: Partial<CreateJobRequest> = {}): Uint8Array {
  const request = CreateJobRequest.create({ images: [image()], ...fields });
  return CreateJobRequest.encode(request).finish();
}

/** A render whose picture has one wrong field. */
export function badPicture(
  name: string,
  fields: Partial<ImageSpec>,
  expected: { readonly field: string; readonly reason: string; readonly tells?: string },
): BadRequest {
  const { field, reason, ...rest } = expected;
  return {
    name,
    method: methods.render,
    bytes: renderBytes({ image: image(fields) }),
    ...invalid([`image.${field} ${reason}`]),
    ...rest,
  };
}

/** What every refused argument looks like. */
export function invalid(violations: readonly string[]) {
  return { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", violations } as const;
}

/** What a client sees of tasks and pictures. */
import { createHash } from "node:crypto";
import {
  FarmError,
  type ImageSpec,
  type LiveTask,
  limits,
  type Outcome,
  type RenderedImage,
  type StoredImage,
  type Task,
  type TaskId,
  TaskState,
  taskIdOf,
  taskName,
} from "@zfarm/contract";
import { taskStateOf } from "../domain/job-state.ts";
import type { GatewayNeeds } from "../needs.ts";
import { isRunning } from "./job-lookup.ts";

type ViewNeeds = Pick<GatewayNeeds, "blobs">;

/** A task that ended. */
export async function endedTask(needs: ViewNeeds, outcome: Outcome): Promise<Task> {
  const image = outcome.image;
  return {
    name: outcome.spec === undefined ? "" : taskName(taskIdOf(outcome.spec)),
    state: taskStateOf(outcome.kind),
    spec: outcome.spec?.image,
    image: image === undefined ? undefined : await pictureView(needs, image, outcome.spec?.image),
    failure: outcome.failure,
    worker: outcome.worker,
    attempt: outcome.attempt,
    endTime: outcome.endTime,
  };
}

/** A task that has not ended, as far as anyone knows about it. */
export function liveTask(
  id: TaskId,
  spec: ImageSpec | undefined,
  live: LiveTask | undefined,
): Task {
  const running = live !== undefined && isRunning(live);
  return {
    name: taskName(id),
    state: running ? TaskState.RUNNING : TaskState.PENDING,
    spec,
    worker: live?.worker ?? "",
    attempt: live?.attempt ?? 0,
  };
}

/** A picture by reference. */
export async function pictureView(
  { blobs }: ViewNeeds,
  image: StoredImage,
  spec: ImageSpec | undefined,
): Promise<RenderedImage> {
  return {
    uri: await blobs.url(image.key, limits.imageUrlSeconds),
    data: Buffer.alloc(0),
    mediaType: image.mediaType,
    sha256: image.sha256,
    sizeBytes: image.sizeBytes,
    spec,
    modelDigest: image.modelDigest,
    timings: image.timings,
  };
}

/** The picture's bytes, checked against its digest. TOO_LARGE, OBJECT_MISSING, OBJECT_CORRUPT. */
export async function pictureBytes({ blobs }: ViewNeeds, image: StoredImage): Promise<Buffer> {
  const max = limits.inlineImageBytesMax;
  if (image.sizeBytes > BigInt(max)) {
    const told = `the picture is ${image.sizeBytes} bytes; an answer holds at most ${max}`;
    throw new FarmError("TOO_LARGE", `${told}: fetch it by its URI`);
  }
  const bytes = await blobs.get(image.key);
  if (bytes === undefined) {
    throw new FarmError("OBJECT_MISSING", `the store has no object ${image.key}`);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== image.sha256) {
    throw new FarmError("OBJECT_CORRUPT", `object ${image.key} does not match its SHA-256`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

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

const noBytes = Buffer.alloc(0);

/** A task that ended. */
export async function endedTask(needs: ViewNeeds, outcome: Outcome): Promise<Task> {
  return showEnded(outcome, await uriOf(needs, outcome.image));
}

/** Tasks that ended, in their order. */
export async function endedTasks(needs: ViewNeeds, outcomes: readonly Outcome[]): Promise<Task[]> {
  const uris = await Promise.all(outcomes.map(({ image }) => uriOf(needs, image)));
  return outcomes.map((outcome, index) => showEnded(outcome, uris[index] ?? ""));
}

function showEnded(outcome: Outcome, uri: string): Task {
  const { spec, image } = outcome;
  return {
    name: spec === undefined ? "" : taskName(taskIdOf(spec)),
    state: taskStateOf(outcome.kind),
    spec: spec?.image,
    image: image === undefined ? undefined : showPicture(image, spec?.image, uri),
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
  needs: ViewNeeds,
  image: StoredImage,
  spec: ImageSpec | undefined,
): Promise<RenderedImage> {
  return showPicture(image, spec, await uriOf(needs, image));
}

/** Empty where there is no picture. */
function uriOf({ blobs }: ViewNeeds, image: StoredImage | undefined): Promise<string> {
  return image === undefined ? Promise.resolve("") : blobs.url(image.key, limits.imageUrlSeconds);
}

function showPicture(image: StoredImage, spec: ImageSpec | undefined, uri: string): RenderedImage {
  const { mediaType, sha256, sizeBytes, modelDigest, timings } = image;
  return { uri, data: noBytes, mediaType, sha256, sizeBytes, spec, modelDigest, timings };
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

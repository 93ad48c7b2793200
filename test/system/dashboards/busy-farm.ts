/** What makes a farm show every series that it has: work of all kinds, and some accidents. */
import { Readable } from "node:stream";
import { PriorityClass } from "@zfarm/contract";
import { waitUntil } from "../../chaos/farm/wait-until.ts";
import { createNanoLora } from "../../nano-loras.ts";
import { childrenOf, type FarmUnderTest } from "../farm.ts";

const small = { prompt: "a red house", width: 64, height: 64, steps: 2 };
/** Enough of them wait for longer than the leader takes to show them. */
const medium = { prompt: "a castle", width: 128, height: 128, steps: 8 };
/** Long enough to be hit in the middle. */
const slow = { prompt: "a castle", width: 512, height: 512, steps: 20 };
/** More tokens than the model reads, which only a worker can tell. */
const tooLong = { ...small, prompt: "q7 x3 z9 ".repeat(200) };
const farAwayMs = 3_600_000;
/** Some of the autoscaler's ticks. */
const effectWithinMs = 30_000;

export async function uploadAdapters(farm: FarmUnderTest): Promise<void> {
  for (const [index, lora] of ["ink", "chalk", "tempera"].entries()) {
    const { bytes } = await createNanoLora({ rank: index + 1 });
    await farm.client.loras.upload(Readable.from([bytes]), { lora, displayName: lora });
  }
}

/** One round; two of them, scrapes apart, give every counter two samples. */
export async function keepBusy(farm: FarmUnderTest): Promise<void> {
  const { client } = farm;
  const images = Array.from({ length: 6 }, (_, index) => ({ ...small, seed: BigInt(index) }));
  const deadlineTime = new Date(Date.now() + farAwayMs);
  const scheduling = { priorityClass: PriorityClass.BATCH, deadlineTime };
  const jobs = await Promise.all([
    client.createJob({ images, scheduling }),
    client.createJob({ images: [tooLong, ...images], parent: "projects/studio" }),
  ]);
  const canceled = await client.createJob({ images: Array.from({ length: 60 }, () => medium) });
  for (const lora of ["ink", "chalk", "tempera"]) {
    await client.renderImage({ ...small, loras: [{ lora, weight: 1 }] });
  }
  await client.renderImage({ ...small, width: 7 }).catch(() => undefined);
  await client.cancelJob(canceled.name);
  for (const { name } of jobs) {
    for await (const { event } of client.watchJob(name)) if (event?.$case === "jobEnded") break;
  }
}

/** Far more work than two workers do in time, until it has had its effect. */
export async function overload(farm: FarmUnderTest, hasEffect: () => Promise<boolean>) {
  const { client } = farm;
  const scheduling = { priorityClass: PriorityClass.INTERACTIVE };
  const images = Array.from({ length: 60 }, () => slow);
  const { name } = await client.createJob({ images, scheduling });
  await waitUntil("the overload has its effect", effectWithinMs, hasEffect);
  await client.cancelJob(name);
}

/** An engine dies in the middle of a picture; its worker goes on, and so does the picture. */
export async function loseEngine(farm: FarmUnderTest): Promise<void> {
  let hits = 0;
  for await (const { event } of farm.client.streamRender(slow)) {
    if (event?.$case !== "started" || hits > 0) continue;
    hits += 1;
    const pid = await farm.pid(event.value.worker.replace("workers/", ""));
    const [engine] = await childrenOf(pid);
    process.kill(engine ?? -1, "SIGKILL");
  }
}

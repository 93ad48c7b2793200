/** Reads everything a farm holds, straight from the broker and the store. */
import { createHash } from "node:crypto";
import { type BlobStore, openDirectoryBlobStore, openS3BlobStore } from "@zfarm/blobs";
import { type Broker, connectNatsBroker, type StoredOutcome } from "@zfarm/broker";
import { type Outcome, OutcomeKind } from "@zfarm/contract";
import { Secret, silentLog, systemClock } from "@zfarm/runtime";
import type { EndState, FarmScan, StoredOutcomeFact, StoredTaskFact } from "../history/history.ts";
import type { ChaosFarm } from "./chaos-farm.ts";

const scanWithinMs = 60_000;

export async function scanFarm(farm: ChaosFarm): Promise<FarmScan> {
  const broker = await connectHarness(farm);
  const blobs = await openBlobs(farm);
  try {
    return {
      outcomes: (await readOutcomes(broker)).map(describeOutcome),
      queued: await readQueue(broker),
      objects: await readObjects(blobs),
    };
  } finally {
    await broker.drain();
    await blobs.close();
  }
}

/** A connection of the harness itself, past every proxy. */
export function connectHarness(farm: ChaosFarm): Promise<Broker> {
  return connectNatsBroker({ servers: [farm.natsUrl], name: "chaos", log: silentLog });
}

export async function openBlobs(farm: ChaosFarm): Promise<BlobStore> {
  const { s3 } = farm.options;
  if (s3 === undefined) return await openDirectoryBlobStore(farm.blobsDir);
  const { endpoint, region, accessKey, secretKey } = s3;
  return await openS3BlobStore({
    endpoint,
    publicEndpoint: undefined,
    bucket: "zfarm",
    region,
    accessKey: new Secret(accessKey),
    secretKey: new Secret(secretKey),
    clock: systemClock,
  });
}

export async function readOutcomes(broker: Broker): Promise<StoredOutcome[]> {
  const found: StoredOutcome[] = [];
  const stop = AbortSignal.timeout(scanWithinMs);
  for await (const followed of broker.outcomes.follow({ after: 0n, stop })) {
    if (followed.kind === "caught-up") return found;
    found.push(...followed.entries);
  }
  throw new Error("OUTCOMES could not be read in time");
}

export async function readQueue(broker: Broker): Promise<StoredTaskFact[]> {
  const found: StoredTaskFact[] = [];
  const stop = AbortSignal.timeout(scanWithinMs);
  for await (const followed of broker.queue.follow(stop)) {
    if (followed.kind === "caught-up") return found;
    for (const { task } of followed.entries) {
      found.push({ job: task.spec?.job ?? "", index: task.spec?.index ?? -1 });
    }
  }
  throw new Error("QUEUE could not be read in time");
}

async function readObjects(blobs: BlobStore): Promise<FarmScan["objects"]> {
  const found = [];
  for await (const { key } of blobs.list("")) {
    if (!key.endsWith(".png")) continue;
    const bytes = (await blobs.get(key)) ?? new Uint8Array();
    found.push({ key, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  return found;
}

export function describeOutcome({ outcome, revision }: StoredOutcome): StoredOutcomeFact {
  return {
    job: outcome.spec?.job ?? "",
    index: outcome.spec?.index ?? -1,
    state: endStateOf(outcome.kind),
    reason: outcome.failure?.reason ?? "",
    fence: outcome.fence,
    worker: outcome.worker,
    attempt: outcome.attempt,
    key: outcome.image?.key ?? "",
    sha256: outcome.image?.sha256 ?? "",
    revision,
  };
}

function endStateOf(kind: Outcome["kind"]): EndState {
  switch (kind) {
    case OutcomeKind.SUCCEEDED:
      return "succeeded";
    case OutcomeKind.CANCELED:
      return "canceled";
    case OutcomeKind.EXPIRED:
      return "expired";
    default:
      return "failed";
  }
}

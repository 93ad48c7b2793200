/** The broker's disk, copied and put back behind its back. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChaosFarm } from "../farm/chaos-farm.ts";

/** A copy of the store as it is at this moment; nats-server is down meanwhile. */
export async function copyStore(farm: ChaosFarm): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "zfarm-store-"));
  await farm.nats.kill({ hold: true });
  await cp(farm.natsStoreDir, copy, { recursive: true });
  farm.nats.start();
  await farm.nats.ready();
  return copy;
}

/** What happened since the copy is forgotten, as after a disk that lost its newest writes. */
export async function restoreStore(farm: ChaosFarm, copy: string): Promise<void> {
  await farm.nats.kill({ hold: true });
  await rm(farm.natsStoreDir, { recursive: true, force: true });
  await cp(copy, farm.natsStoreDir, { recursive: true });
  farm.nats.start();
  await farm.nats.ready();
}

/** Whatever is done to the store meanwhile is undone afterwards. */
export async function withStoreCopy(farm: ChaosFarm, use: () => Promise<void>): Promise<void> {
  const copy = await copyStore(farm);
  try {
    await use();
  } finally {
    await restoreStore(farm, copy);
    await rm(copy, { recursive: true, force: true });
  }
}

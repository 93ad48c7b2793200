/** Puts the worker's shelf together: its folder, its account, and what fetches from the store. */
import type { BlobStore } from "@zfarm/blobs";
import { loraDeviceBytesOf } from "@zfarm/contract";
import type { App, Log } from "@zfarm/runtime";
import type { LoraConfig } from "../config.ts";
import { LoraLedger } from "../domain/lora-ledger.ts";
import type { EngineProcess } from "../engine-process.ts";
import { LoraFetcher } from "./lora-fetcher.ts";
import { LoraFolder } from "./lora-folder.ts";
import { LoraShelf } from "./lora-shelf.ts";
import { createShelfMetrics } from "./shelf-metrics.ts";

/** Throws INTERNAL where the folder cannot be used. */
export async function openShelf(needs: {
  readonly app: Pick<App, "clock" | "registry" | "stop">;
  readonly config: LoraConfig;
  readonly blobs: BlobStore;
  readonly engine: EngineProcess;
  readonly log: Log;
}): Promise<LoraShelf> {
  const { app, config, blobs, engine, log } = needs;
  const { clock, stop } = app;
  const metrics = createShelfMetrics(app.registry);
  const deviceBytes = loraDeviceBytesOf(config.ramBytes);
  const ledger = new LoraLedger({ ram: config.ramBytes, device: deviceBytes });
  const folder = await LoraFolder.open({
    folder: config.folder,
    mustBeOwn: config.isDefaultFolder === true,
    bytesMax: config.diskBytes,
    clock,
    onEvict: () => metrics.evictionsTotal.inc({ tier: "disk" }),
  });
  const isNeeded = (digest: string): boolean => ledger.isNeeded(digest);
  const isKept = (digest: string): boolean => ledger.isKept(digest);
  const fetcher = new LoraFetcher({ folder, blobs, clock, stop, isNeeded, isKept });
  const rankBudget = config.ranks;
  const parts = { ledger, folder, fetcher, engine, deviceBytes, rankBudget, log, metrics };
  return new LoraShelf(parts);
}

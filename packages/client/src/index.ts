/** The TypeScript client of a farm: typed, retrying where that is harmless, resumable. */

export type { CallOptions } from "./call-options.ts";
export { connectFarm, type FarmOptions } from "./connect-farm.ts";
export type {
  CreateJobOptions,
  FarmClient,
  GuidanceWish,
  ListTasksOptions,
  RenderOptions,
  RetryJobOptions,
  SchedulingChanges,
  Spec,
  StreamOptions,
  UpdateJobOptions,
  WatchOptions,
} from "./farm-client.ts";
export type {
  FleetClient,
  ListVictimsOptions,
  ListWorkersOptions,
  PoolConductChange,
  QuarantineOptions,
  QueueStatisticsOptions,
  UpdatePoolOptions,
} from "./fleet-client.ts";
export type {
  CheckLoraOptions,
  EtagOptions,
  ListLorasOptions,
  LoraAbout,
  LoraChanges,
  LoraClient,
  LoraFile,
  LoraPlaceOptions,
  UploadLoraOptions,
} from "./lora-client.ts";

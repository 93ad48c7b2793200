/** The TypeScript client of a farm: typed, retrying where that is harmless, resumable. */
export { connectFarm, type FarmOptions } from "./connect-farm.ts";
export type {
  CallOptions,
  CreateJobOptions,
  FarmClient,
  GuidanceWish,
  ListTasksOptions,
  ListVictimsOptions,
  PoolConductChange,
  RenderOptions,
  RetryJobOptions,
  SchedulingChanges,
  Spec,
  StreamOptions,
  UpdateJobOptions,
  WatchOptions,
} from "./farm-client.ts";
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

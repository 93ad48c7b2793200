/** What two processes must agree on. No I/O. */
import "./limit-relations.ts";

export * from "./errors.ts";
export * from "./failure-reasons.ts";
export * from "./gen/zfarm/v1/fleet.ts";
export * from "./gen/zfarm/v1/fleet_service.ts";
export * from "./gen/zfarm/v1/image.ts";
export * from "./gen/zfarm/v1/job_service.ts";
export * from "./gen/zfarm/v1/link.ts";
export * from "./gen/zfarm/v1/lora.ts";
export * from "./gen/zfarm/v1/lora_service.ts";
export * from "./gen/zfarm/v1/records.ts";
export * from "./gen/zfarm/v1/render_service.ts";
export * from "./gen/zfarm/v1/scheduling.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export * from "./local-hands.ts";
export * from "./lora-memory.ts";
export * from "./message-reader.ts";
export * from "./object-keys.ts";
export * from "./resource-names.ts";
export * from "./shape.ts";
export * from "./shards.ts";
export * from "./status-details.ts";
export * from "./subjects.ts";
export * from "./task-state.ts";
export * from "./wait-reasons.ts";

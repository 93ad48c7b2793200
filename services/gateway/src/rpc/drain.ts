/** FleetService.Drain: running tasks finish, no new ones start. */
import { DrainRequest, type DrainResponse, limits } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";
import { setDraining } from "./set-draining.ts";

export const drain: UnaryMethod<DrainRequest, DrainResponse> = {
  name: "Drain",
  decode: (bytes) => decodeRequest(DrainRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    await setDraining(needs, name, true);
    return {};
  },
};

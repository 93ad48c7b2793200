/** FleetService.GetWorker: one worker, what it runs and what it holds, as the leader knows it. */
import { FarmError, GetWorkerRequest, type GetWorkerResponse, limits } from "@zfarm/contract";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { readWorker } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getWorker: UnaryMethod<GetWorkerRequest, GetWorkerResponse> = {
  name: "GetWorker",
  decode: (bytes) => decodeRequest(GetWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, { broker }) => {
    const worker = readWorker(name);
    const look = await askLeader(broker, { $case: "worker", value: { worker } });
    if (look.worker !== undefined) return look;
    throw new FarmError("WORKER_NOT_FOUND", `no worker ${worker} lives`);
  },
};

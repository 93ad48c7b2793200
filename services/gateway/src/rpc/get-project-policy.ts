/** FleetService.GetProjectPolicy: how a project shares the farm with others. */
import { GetProjectPolicyRequest, type GetProjectPolicyResponse, limits } from "@zfarm/contract";
import { plainPolicy, shareOf } from "../domain/project-share.ts";
import { decodeRequest } from "./decode.ts";
import { readProject } from "./read-project.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getProjectPolicy: UnaryMethod<GetProjectPolicyRequest, GetProjectPolicyResponse> = {
  name: "GetProjectPolicy",
  decode: (bytes) => decodeRequest(GetProjectPolicyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, { broker }) => {
    const project = readProject(name, "name");
    const standing = await broker.policies.projects.find(project);
    return { share: shareOf(standing?.policy ?? plainPolicy(project)) };
  },
};

/** FleetService.UpdateProjectPolicy: replaces how a project shares the farm with others. */
import {
  limits,
  UpdateProjectPolicyRequest,
  type UpdateProjectPolicyResponse,
} from "@zfarm/contract";
import { checkShare, plainPolicy, policyOf, shareOf } from "../domain/project-share.ts";
import { invalidField, Violations } from "../domain/violations.ts";
import { changePolicy } from "./change-policy.ts";
import { decodeRequest } from "./decode.ts";
import { readProject } from "./read-project.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const updateProjectPolicy: UnaryMethod<
  UpdateProjectPolicyRequest,
  UpdateProjectPolicyResponse
> = {
  name: "UpdateProjectPolicy",
  decode: (bytes) => decodeRequest(UpdateProjectPolicyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ share }, _scope, { broker }) => {
    if (share === undefined) {
      throw invalidField("share", { reason: "REQUIRED", description: "must be given" });
    }
    const project = readProject(share.name, "share.name");
    const violations = new Violations();
    checkShare(share, violations);
    if (violations.count > 0) throw violations.toError();
    const policy = await changePolicy(broker.policies.projects, {
      id: project,
      initial: plainPolicy(project),
      change: () => policyOf(project, share),
    });
    return { share: shareOf(policy) };
  },
};

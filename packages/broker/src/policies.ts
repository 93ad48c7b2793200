/** What operators want of projects, pools and workers: one record each in one log. */
import {
  type PoolId,
  PoolPolicy,
  type ProjectId,
  ProjectPolicy,
  subjects,
  type WorkerId,
  WorkerPolicy,
} from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { Followed, Policies, PolicyRecords, Revision, StoredPolicy } from "./broker.ts";
import { type Codec, decodeStored, encode } from "./codec.ts";
import { mapFollowed } from "./map-followed.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import { readLog } from "./read-log.ts";

export class LogPolicies implements Policies {
  readonly projects: PolicyRecords<ProjectPolicy>;
  readonly pools: PolicyRecords<PoolPolicy>;
  readonly workers: PolicyRecords<WorkerPolicy>;
  readonly #log: SubjectLog;

  constructor(log: SubjectLog, clock: Clock) {
    this.#log = log;
    this.projects = new LogPolicyRecords(log, {
      clock,
      codec: ProjectPolicy,
      subjectOf: (id) => subjects.projectPolicy(id as ProjectId),
      idOf: ({ project }) => project,
    });
    this.pools = new LogPolicyRecords(log, {
      clock,
      codec: PoolPolicy,
      subjectOf: (id) => subjects.poolPolicy(id as PoolId),
      idOf: ({ pool }) => pool,
    });
    this.workers = new LogPolicyRecords(log, {
      clock,
      codec: WorkerPolicy,
      subjectOf: (id) => subjects.workerPolicy(id as WorkerId),
      idOf: ({ worker }) => worker,
    });
  }

  follow(stop: AbortSignal): AsyncIterable<Followed<StoredPolicy>> {
    const filter = subjects.policiesAll;
    return mapFollowed(this.#log.follow({ filter, after: 0n, stop }), storedPolicy);
  }
}

interface PolicyKind<Policy> {
  readonly clock: Clock;
  readonly codec: Codec<Policy>;
  readonly subjectOf: (id: string) => string;
  readonly idOf: (policy: Policy) => string;
}

class LogPolicyRecords<Policy> implements PolicyRecords<Policy> {
  readonly #log: SubjectLog;
  readonly #kind: PolicyKind<Policy>;

  constructor(log: SubjectLog, kind: PolicyKind<Policy>) {
    this.#log = log;
    this.#kind = kind;
  }

  async find(id: string): Promise<{ policy: Policy; revision: Revision } | undefined> {
    const { codec, subjectOf } = this.#kind;
    const message = await this.#log.last(subjectOf(id));
    if (message === undefined) return undefined;
    return { policy: decodeStored(codec, message), revision: message.revision };
  }

  async list(): Promise<{ policy: Policy; revision: Revision }[]> {
    const { clock, codec, subjectOf } = this.#kind;
    const filter = subjectOf("*");
    const found = await readLog((stop) => this.#log.follow({ filter, after: 0n, stop }), {
      clock,
      what: "policies",
      max: Number.POSITIVE_INFINITY,
    });
    return (found ?? []).map((message) => ({
      policy: decodeStored(codec, message),
      revision: message.revision,
    }));
  }

  async put(policy: Policy, expected: Revision): Promise<Revision | "conflict"> {
    const { codec, subjectOf, idOf } = this.#kind;
    const subject = subjectOf(idOf(policy));
    const put = await this.#log.put({ subject, bytes: encode(codec, policy), expected });
    return put.kind === "stored" ? put.revision : "conflict";
  }
}

/** Undefined for a kind that this version does not know. */
function storedPolicy(message: LogMessage): StoredPolicy | undefined {
  const { revision } = message;
  switch (message.subject.split(".")[1]) {
    case "project":
      return { kind: "project", policy: decodeStored(ProjectPolicy, message), revision };
    case "pool":
      return { kind: "pool", policy: decodeStored(PoolPolicy, message), revision };
    case "worker":
      return { kind: "worker", policy: decodeStored(WorkerPolicy, message), revision };
    default:
      return undefined;
  }
}

/** Records of adapters: one message for each name of a project, replaced as a whole. */
import {
  buckets,
  type LoraName,
  LoraRecord,
  type ProjectId,
  parseLoraId,
  parseProjectId,
} from "@zfarm/contract";
import { type Clock, invariant } from "@zfarm/runtime";
import type { LoraRecords, Revision, StoredLora } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import { readLog } from "./read-log.ts";
import { bucketSubject } from "./records.ts";

export class LogLoraRecords implements LoraRecords {
  readonly #log: SubjectLog;
  readonly #clock: Clock;

  constructor(log: SubjectLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  async find(name: LoraName): Promise<StoredLora | undefined> {
    const message = await this.#log.last(subjectOf(name));
    return message === undefined ? undefined : storedLora(message);
  }

  list(project: ProjectId): Promise<StoredLora[]> {
    return this.#readAll(bucketSubject(buckets.loras, `${project}.*`));
  }

  listAll(): Promise<StoredLora[]> {
    return this.#readAll(bucketSubject(buckets.loras, "*.*"));
  }

  async put(record: LoraRecord, expected: Revision): Promise<Revision | "conflict"> {
    const subject = subjectOf(nameOf(record));
    const put = await this.#log.put({ subject, bytes: encode(LoraRecord, record), expected });
    return put.kind === "stored" ? put.revision : "conflict";
  }

  async remove(revision: Revision): Promise<void> {
    await this.#log.remove(revision);
  }

  async #readAll(filter: string): Promise<StoredLora[]> {
    const found = await readLog((stop) => this.#log.follow({ filter, after: 0n, stop }), {
      clock: this.#clock,
      what: "adapters",
      max: Number.POSITIVE_INFINITY,
    });
    return (found ?? []).map(storedLora).toSorted(byName);
  }
}

function nameOf(record: LoraRecord): LoraName {
  const [project, lora] = [parseProjectId(record.project), parseLoraId(record.lora)];
  invariant(project !== undefined && lora !== undefined, "records of adapters have parsed names");
  return { project, lora };
}

function subjectOf({ project, lora }: LoraName): string {
  return bucketSubject(buckets.loras, `${project}.${lora}`);
}

function storedLora(message: LogMessage): StoredLora {
  return { record: decodeStored(LoraRecord, message), revision: message.revision };
}

function byName({ record: one }: StoredLora, { record: other }: StoredLora): number {
  if (one.project !== other.project) return one.project < other.project ? -1 : 1;
  return one.lora < other.lora ? -1 : 1;
}

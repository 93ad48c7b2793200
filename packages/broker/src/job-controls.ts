/** What is wanted of jobs since they were created: one record each, replaced as a whole. */
import { JobControl, type JobRef, subjects, taskIdOf } from "@zfarm/contract";
import type { Followed, JobControls, Revision, StoredControl } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import { mapFollowed } from "./map-followed.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import { type ShardView, showsProject } from "./shard-view.ts";

export class LogJobControls implements JobControls {
  readonly #log: SubjectLog;
  readonly #view: ShardView;

  constructor(log: SubjectLog, view: ShardView) {
    this.#log = log;
    this.#view = view;
  }

  async find(job: JobRef): Promise<StoredControl | undefined> {
    const message = await this.#log.last(subjects.jobControl(job));
    return message === undefined ? undefined : storedControl(message);
  }

  async put(control: JobControl, expected: Revision): Promise<Revision | "conflict"> {
    const subject = subjects.jobControl(taskIdOf({ ...control, index: 0 }));
    const put = await this.#log.put({ subject, bytes: encode(JobControl, control), expected });
    return put.kind === "stored" ? put.revision : "conflict";
  }

  follow(stop: AbortSignal): AsyncIterable<Followed<StoredControl>> {
    const filter = subjects.jobControlsAll;
    return mapFollowed(this.#log.follow({ filter, after: 0n, stop }), (message) => {
      const entry = storedControl(message);
      return showsProject(this.#view, entry.control.project) ? entry : undefined;
    });
  }
}

function storedControl(message: LogMessage): StoredControl {
  return { control: decodeStored(JobControl, message), revision: message.revision };
}

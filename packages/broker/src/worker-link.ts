/** What workers and the leader say to each other. */
import {
  AttemptReport,
  AttemptReportReply,
  Control,
  Heartbeat,
  type LeasedTask,
  type PoolId,
  parseWorkerId,
  shardOf,
  subjects,
  type WorkerId,
  WorkGrant,
  WorkRequest,
} from "@zfarm/contract";
import { invariant, type Log } from "@zfarm/runtime";
import type { BrokerBounds } from "./bounds.ts";
import type { Unsubscribe, WorkerLink } from "./broker.ts";
import { type Codec, decodeAnswer, decodePassing, encode } from "./codec.ts";
import type { IncomingMessage, Messenger } from "./ports.ts";
import { ledShard, type ShardView, showsProject } from "./shard-view.ts";

interface MessengerLinkNeeds {
  readonly messenger: Messenger;
  readonly bounds: BrokerBounds;
  readonly log: Log;
  readonly view: ShardView;
}

export class MessengerLink implements WorkerLink {
  readonly #messenger: Messenger;
  readonly #bounds: BrokerBounds;
  readonly #log: Log;
  readonly #view: ShardView;

  constructor({ messenger, bounds, log, view }: MessengerLinkNeeds) {
    this.#messenger = messenger;
    this.#bounds = bounds;
    this.#log = log;
    this.#view = view;
  }

  get connectedSince(): number {
    return this.#messenger.connectedSince;
  }

  async ask(request: WorkRequest, stop: AbortSignal, shard = 0): Promise<WorkGrant> {
    const answer = await this.#messenger.exchange({
      subject: subjects.work(shard, request.pool as PoolId),
      bytes: encode(WorkRequest, request),
      timeoutMs: this.#bounds.askTimeoutMs,
      stop,
    });
    return decodeAnswer(WorkGrant, answer);
  }

  beat(heartbeat: Heartbeat): void {
    const worker = parseWorkerId((heartbeat.worker?.name ?? "").replace(/^workers\//, ""));
    invariant(worker !== undefined, "a heartbeat names its worker as workers/{worker}");
    this.#messenger.publish(subjects.beat(worker), encode(Heartbeat, heartbeat));
  }

  async report(report: AttemptReport): Promise<void> {
    await this.#messenger.exchange({
      subject: subjects.report(shardOf(report.task?.project ?? "", this.#view.shards)),
      bytes: encode(AttemptReport, report),
      timeoutMs: this.#bounds.brokerRequestMs,
    });
  }

  onControl(worker: WorkerId, handle: (control: Control) => void): Unsubscribe {
    return this.#listen(subjects.control(worker), Control, handle);
  }

  serveAsks(
    handle: (request: WorkRequest, respond: (grant: WorkGrant) => void) => void,
  ): Unsubscribe {
    const subject = subjects.workOfShard(ledShard(this.#view));
    return this.#listen(subject, WorkRequest, (request, message) => {
      handle(this.#shown(request), (grant) => message.reply(encode(WorkGrant, grant)));
    });
  }

  onBeat(handle: (heartbeat: Heartbeat) => void): Unsubscribe {
    return this.#listen(subjects.beatAll, Heartbeat, (heartbeat) => handle(this.#shown(heartbeat)));
  }

  serveReports(handle: (report: AttemptReport) => void): Unsubscribe {
    return this.#listen(subjects.report(ledShard(this.#view)), AttemptReport, (report, message) => {
      handle(report);
      message.reply(encode(AttemptReportReply, {}));
    });
  }

  control(worker: WorkerId, control: Control): void {
    const { only } = this.#view;
    const told = only === undefined ? control : { ...control, shard: only };
    this.#messenger.publish(subjects.control(worker), encode(Control, told));
  }

  /** What a worker holds of other shards is other leaders' business. */
  #shown<Message extends { readonly running: LeasedTask[] }>(message: Message): Message {
    if (this.#view.only === undefined) return message;
    const running = message.running.filter(({ project }) => showsProject(this.#view, project));
    return { ...message, running };
  }

  #listen<Message>(
    subject: string,
    codec: Codec<Message>,
    handle: (decoded: Message, message: IncomingMessage) => void,
  ): Unsubscribe {
    return this.#messenger.subscribe(subject, (message) => {
      const decoded = decodePassing(codec, { subject, bytes: message.bytes }, this.#log);
      if (decoded !== undefined) handle(decoded, message);
    }).unsubscribe;
  }
}

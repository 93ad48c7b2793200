/** What workers and the leader say to each other. */
import {
  AttemptReport,
  AttemptReportReply,
  Control,
  Heartbeat,
  type PoolId,
  parseWorkerId,
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

interface MessengerLinkNeeds {
  readonly messenger: Messenger;
  readonly bounds: BrokerBounds;
  readonly log: Log;
}

export class MessengerLink implements WorkerLink {
  readonly #messenger: Messenger;
  readonly #bounds: BrokerBounds;
  readonly #log: Log;

  constructor({ messenger, bounds, log }: MessengerLinkNeeds) {
    this.#messenger = messenger;
    this.#bounds = bounds;
    this.#log = log;
  }

  async ask(request: WorkRequest, stop: AbortSignal): Promise<WorkGrant> {
    const answer = await this.#messenger.exchange({
      subject: subjects.work(request.pool as PoolId),
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
      subject: subjects.report,
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
    return this.#listen(subjects.workAll, WorkRequest, (request, message) => {
      handle(request, (grant) => message.reply(encode(WorkGrant, grant)));
    });
  }

  onBeat(handle: (heartbeat: Heartbeat) => void): Unsubscribe {
    return this.#listen(subjects.beatAll, Heartbeat, handle);
  }

  serveReports(handle: (report: AttemptReport) => void): Unsubscribe {
    return this.#listen(subjects.report, AttemptReport, (report, message) => {
      handle(report);
      message.reply(encode(AttemptReportReply, {}));
    });
  }

  control(worker: WorkerId, control: Control): void {
    this.#messenger.publish(subjects.control(worker), encode(Control, control));
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

/**
 * Follows a stream through restarts of the server and of the connection. Each window is a
 * consumer that starts behind the last message seen; at any doubt (a gap, a broken connection, a
 * consumer that is gone) the window is closed and a new one opened, so nothing is lost, repeated
 * or reordered. The client's own ordered consumer is not used: after it recreated itself it asks
 * for too few messages and stalls (@nats-io/jetstream 3.4.0).
 */
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { FarmError, limits } from "@zfarm/contract";
import { backoffMs } from "@zfarm/runtime";
import type { Followed, Revision } from "../broker.ts";
import type { FollowRequest, LogMessage } from "../ports.ts";
import { Arrivals } from "./arrivals.ts";
import type { NatsLink } from "./nats-link.ts";
import type { NatsLogNeeds } from "./nats-log.ts";
import { type Delivery, readDelivery } from "./read-delivery.ts";

interface Position {
  cursor: Revision;
  /** The stream's end when following began; -1n once the follower was told that it is there. */
  target: Revision;
}

interface Arrived {
  readonly message: JsMsg;
  readonly delivery: Delivery;
}

interface Window {
  readonly consumer: Consumer;
  readonly messages: ConsumerMessages;
  readonly arrivals: Arrivals<Arrived>;
  /** What matched when it was opened. */
  readonly unread: number;
  /** Messages handed on so far. */
  delivered: number;
}

const toldRevision = -1n;

/** How long a pull waits for messages; heartbeats of the server come twice in it. */
const pullMs = 10_000;

export async function* followStream(
  needs: NatsLogNeeds,
  request: FollowRequest,
): AsyncIterable<Followed<LogMessage>> {
  const { link } = needs;
  const ended = AbortSignal.any([request.stop, link.ended]);
  const target = await readTarget(needs, request);
  const position: Position = { cursor: request.after, target };
  // Windows in a row without a message: the first is replaced at once, further ones are not.
  for (let idle = 0; !ended.aborted; idle += 1) {
    if (idle > 1) await link.clock.sleep(backoffMs(idle - 1), ended);
    const window = await openWindow(needs, { request, position });
    if (window === undefined) continue;
    const before = position.cursor;
    try {
      yield* readWindow(window, { needs, position, ended, idle });
    } finally {
      closeWindow(window, needs);
    }
    if (position.cursor > before) idle = 0;
    if (!ended.aborted) yield { kind: "entries", entries: [], unread: Number.POSITIVE_INFINITY };
  }
  if (!request.stop.aborted) throwUnlessDrained(link.ended.reason);
}

async function readTarget(needs: NatsLogNeeds, { stop }: FollowRequest): Promise<Revision> {
  if (stop.aborted) return toldRevision;
  return needs.link.repeatCall(`following ${needs.name}`, async () => {
    const info = await needs.manager.streams.info(needs.name);
    return BigInt(info.state.last_seq);
  });
}

interface OpenOptions {
  readonly request: FollowRequest;
  readonly position: Position;
}

/** Undefined where the broker is away; a follower sits that out. */
async function openWindow(
  needs: NatsLogNeeds,
  { request, position }: OpenOptions,
): Promise<Window | undefined> {
  const { link, client, manager, name } = needs;
  try {
    const info = await link.repeatCall(`following ${name}`, () =>
      manager.consumers.add(name, {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Number(position.cursor) + 1,
        filter_subject: request.filter,
        inactive_threshold: nanos(limits.followForgetMs),
        mem_storage: true,
        num_replicas: 1,
      }),
    );
    const consumer = client.consumers.getConsumerFromInfo(info);
    const full = new AbortController();
    const arrivals = new Arrivals<Arrived>(link.bounds.followUnreadMax, () => full.abort());
    const messages = await consumer.consume({
      max_messages: limits.followMessagesMax,
      expires: pullMs,
      abort_on_missing_resource: true,
      callback: (message) => arrivals.add({ message, delivery: deliveryOf(message) }),
    });
    // What is unread is still handed on; the next window starts behind it.
    full.signal.addEventListener("abort", () => messages.stop());
    if (full.signal.aborted) messages.stop();
    void messages.closed().then((error) => {
      if (error) link.log.debug({ error, stream: name }, "window on stream closed");
      arrivals.close();
    });
    return { consumer, messages, arrivals, unread: info.num_pending, delivered: 0 };
  } catch (error) {
    if (error instanceof FarmError && error.code === "BROKER_UNAVAILABLE") return undefined;
    throw error;
  }
}

function closeWindow({ messages, consumer }: Window, { link, name }: NatsLogNeeds): void {
  messages.stop();
  // Best effort: the server forgets a consumer that nobody reads soon enough.
  consumer.delete().catch((error: unknown) => {
    link.log.debug({ error, stream: name }, "consumer not deleted");
  });
}

interface ReadOptions {
  readonly needs: NatsLogNeeds;
  readonly position: Position;
  readonly ended: AbortSignal;
  /** Windows before this one that brought nothing. */
  readonly idle: number;
}

/** The messages of one window, until it closes or a message is missing in it. */
async function* readWindow(
  window: Window,
  { needs, position, ended, idle }: ReadOptions,
): AsyncIterable<Followed<LogMessage>> {
  const { messages, arrivals, unread } = window;
  // A broker far away needs longer for its first answer than any fixed bound.
  const stallMs = Math.min(limits.followStallMs * 2 ** idle, limits.brokerRequestMs);
  const close = (): void => messages.stop();
  const deaf = needs.link.onInterrupt(close);
  ended.addEventListener("abort", close);
  // The follower may have been stopped while the window was opened.
  if (ended.aborted) close();
  const read = new AbortController();
  try {
    yield { kind: "entries", entries: [], unread };
    if (unread === 0) yield* tellCaughtUp(position);
    if (position.target !== toldRevision) {
      void closeWhenStalled(window, { link: needs.link, read: read.signal, stallMs });
    }
    void closeWhenUnserved(messages);
    for (;;) {
      const arrived = await arrivals.take();
      if (ended.aborted) return;
      const inOrder = takeInOrder(window, arrived);
      yield* deliver(inOrder, { needs, position });
      if (inOrder.length === 0 || inOrder.length < arrived.length) return;
      if (position.target === toldRevision && !read.signal.aborted) read.abort();
    }
  } finally {
    read.abort();
    deaf();
    ended.removeEventListener("abort", close);
  }
}

/** Every message of the client has its reply subject, though its type does not say so. */
function deliveryOf(message: JsMsg & { readonly reply?: string }): Delivery {
  return readDelivery(message.reply ?? "");
}

/** Those before a gap; at one the window ends, and the next one starts where this ended. */
function takeInOrder(window: Window, arrived: readonly Arrived[]): readonly Arrived[] {
  const gap = arrived.findIndex(({ delivery }) => {
    if (delivery.deliverySeq !== window.delivered + 1) return true;
    window.delivered += 1;
    return false;
  });
  return gap < 0 ? arrived : arrived.slice(0, gap);
}

function* deliver(
  arrived: readonly Arrived[],
  { needs, position }: { needs: NatsLogNeeds; position: Position },
): Iterable<Followed<LogMessage>> {
  const newest = arrived.at(-1);
  if (newest !== undefined) needs.guard.followed(needs.name, newest.message);
  let entries: LogMessage[] = [];
  for (const { message, delivery } of arrived) {
    const revision = BigInt(delivery.seq);
    if (revision <= position.cursor) continue;
    if (revision > position.target) yield* tellCaughtUp(position);
    position.cursor = revision;
    entries.push({ subject: message.subject, bytes: message.data, revision });
    const isLast = revision >= position.target || delivery.pending === 0;
    if (position.target === toldRevision || !isLast) continue;
    yield { kind: "entries", entries, unread: delivery.pending };
    entries = [];
    yield* tellCaughtUp(position);
  }
  if (newest === undefined || entries.length === 0) return;
  yield { kind: "entries", entries, unread: newest.delivery.pending };
}

/** Says so once. */
function* tellCaughtUp(position: Position): Iterable<{ readonly kind: "caught-up" }> {
  if (position.target === toldRevision) return;
  position.target = toldRevision;
  yield { kind: "caught-up" };
}

/**
 * The last messages of a backlog may be removed before they are delivered, and then nothing comes
 * that would say so. A window that falls silent is closed; the next one knows whether it is empty.
 */
async function closeWhenStalled(
  window: Window,
  options: { readonly link: NatsLink; readonly read: AbortSignal; readonly stallMs: number },
): Promise<void> {
  const { link, read, stallMs } = options;
  const { messages, arrivals } = window;
  for (let received = -1; received !== messages.getReceived() || arrivals.unread > 0; ) {
    received = messages.getReceived();
    await link.clock.sleep(stallMs, read);
    if (read.aborted) return;
  }
  messages.stop();
}

/**
 * A follower that was slow for long finds its consumer forgotten; the client would wait for
 * heartbeats of it before it looks.
 */
async function closeWhenUnserved(messages: ConsumerMessages): Promise<void> {
  for await (const status of messages.status()) {
    if (status.type === "no_responders" || status.type === "heartbeats_missed") messages.stop();
  }
}

function throwUnlessDrained(reason: unknown): void {
  if (reason instanceof FarmError && reason.code === "STATE_LOST") throw reason;
}

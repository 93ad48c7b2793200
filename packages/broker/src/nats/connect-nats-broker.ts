/** Opens the broker on a NATS server or cluster with JetStream. */
import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
} from "@nats-io/transport-node";
import { buckets, FarmError, FarmRecord, farmKey, limits } from "@zfarm/contract";
import {
  backoffMs,
  type Clock,
  type Log,
  type Registry,
  type Secret,
  systemClock,
} from "@zfarm/runtime";
import { assembleBroker, type BrokerLogs } from "../assemble-broker.ts";
import { type BrokerBounds, boundsWith } from "../bounds.ts";
import type { Broker } from "../broker.ts";
import { type BrokerUser, inboxOf } from "../broker-users.ts";
import { drainedReason } from "../drained.ts";
import { type BrokerLogName, createBrokerMetrics, measureLog } from "../measured-log.ts";
import type { SubjectLog } from "../ports.ts";
import { bucketSubject, settleShards } from "../records.ts";
import { assertSameShards } from "../shard-view.ts";
import { declareStreams, findStream, type StreamsMode } from "./declare-streams.ts";
import { natsFarmError } from "./errors.ts";
import { NatsLink } from "./nats-link.ts";
import { NatsLog } from "./nats-log.ts";
import { NatsMessenger } from "./nats-messenger.ts";
import { isUserSeed } from "./server-user.ts";
import { StreamGuard } from "./stream-guard.ts";
import { type StreamSpec, streamSpecs } from "./stream-specs.ts";

export interface NatsBrokerOptions {
  /** Addresses of one server or of several of one cluster, for example nats://127.0.0.1:4222. */
  readonly servers: readonly string[];
  /** How the connection shows up at the server. */
  readonly name: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** Absent: nothing is measured. */
  readonly registry?: Registry;
  /** The text of a credentials file, or the seed of an nkey. */
  readonly credentials?: Secret;
  /** Whose rights these are; absent where nothing is forbidden. */
  readonly user?: BrokerUser;
  /** What may be done about missing streams; "create" by default. */
  readonly streams?: StreamsMode;
  /** Copies of each stream that this process creates; 1 by default. */
  readonly replicas?: number;
  /** Parts of the farm with a leader each; 1 by default, and the same for every process. */
  readonly shards?: number;
  readonly bounds?: Partial<BrokerBounds>;
}

/** BROKER_UNAVAILABLE where nobody answers, STATE_LOST where the streams are not to be trusted. */
export async function connectNatsBroker(options: NatsBrokerOptions): Promise<Broker> {
  const { log, clock = systemClock } = options;
  const bounds = boundsWith(options.bounds);
  const connection = await dial(options);
  const link = new NatsLink({
    connection,
    inboxPrefix: inboxPrefixOf(options),
    bounds,
    clock,
    log,
  });
  try {
    const logs = await openLogs(link, options);
    return assembleBroker({
      kind: "nats",
      logs,
      shards: options.shards ?? 1,
      messenger: new NatsMessenger(link),
      bounds,
      clock,
      log,
      closing: link.ended,
      problem: () => link.problem(),
      drain: () => drain(link),
    });
  } catch (error) {
    await connection.close();
    throw natsFarmError(error, "declaring the streams");
  }
}

async function dial(options: NatsBrokerOptions): Promise<NatsConnection> {
  const { servers, name, credentials } = options;
  const authenticator = credentials && authenticatorOf(credentials);
  try {
    return await connect({
      servers: [...servers],
      name,
      timeout: limits.brokerRequestMs,
      pingInterval: limits.brokerPingMs,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
      // The jitter keeps a restarted server from meeting all of its clients at once.
      reconnectDelayHandler: () => backoffMs(1, { firstMs: limits.brokerRedialMs }),
      inboxPrefix: inboxPrefixOf(options),
      ...(authenticator === undefined ? {} : { authenticator }),
    });
  } catch (cause) {
    throw new FarmError("BROKER_UNAVAILABLE", "no NATS server answers", { cause });
  }
}

function inboxPrefixOf({ user }: NatsBrokerOptions): string {
  return user === undefined ? "_INBOX" : inboxOf(user);
}

function authenticatorOf(credentials: Secret): Authenticator {
  const text = credentials.reveal().trim();
  const bytes = new TextEncoder().encode(text);
  return isUserSeed(text) ? nkeyAuthenticator(bytes) : credsAuthenticator(bytes);
}

async function openLogs(link: NatsLink, options: NatsBrokerOptions): Promise<BrokerLogs> {
  const { connection, bounds, clock, log } = link;
  const jetStreamOptions = { timeout: bounds.brokerRequestMs };
  const client = jetstream(connection, jetStreamOptions);
  const manager = await jetstreamManager(connection, jetStreamOptions);
  const { replicas = 1, shards = 1 } = options;
  await checkShards(manager, shards);
  const { leases, ...specs } = streamSpecs(bounds, { replicas, shards });
  const infos = await declareStreams({
    manager,
    specs: [...Object.values(specs), ...leases],
    mode: options.streams ?? "create",
    clock,
    log,
  });
  const guard = new StreamGuard(manager, infos);
  link.watch(() => guard.verify());
  const metrics = options.registry && createBrokerMetrics(options.registry);
  link.onInterrupt(() => link.ended.aborted || metrics?.disconnects.inc());
  const open = ({ config }: StreamSpec, as: BrokerLogName): SubjectLog => {
    const opened = new NatsLog({ name: config.name, link, client, manager, guard });
    return metrics === undefined ? opened : measureLog(opened, as, metrics);
  };
  const farm = open(specs.farm, "farm");
  await settleShards(farm, shards);
  return {
    queue: open(specs.queue, "queue"),
    outcomes: open(specs.outcomes, "outcomes"),
    controls: open(specs.controls, "controls"),
    policies: open(specs.policies, "policies"),
    jobs: open(specs.jobs, "jobs"),
    pools: open(specs.pools, "pools"),
    loras: open(specs.loras, "loras"),
    farm,
    leases: leases.map((lease) => open(lease, "leases")),
  };
}

/** Before anything is made: what a process with another number would miss is not lost. */
async function checkShards(manager: JetStreamManager, shards: number): Promise<void> {
  const bucket = `KV_${buckets.farm}`;
  if ((await findStream(manager, bucket)) === undefined) return;
  const subject = bucketSubject(buckets.farm, farmKey);
  const stored = await manager.streams.getMessage(bucket, { last_by_subj: subject });
  if (stored !== null) assertSameShards(shards, FarmRecord.decode(stored.data).shards);
}

/** Sends what is buffered where there is a connection; without one nothing can be saved. */
async function drain(link: NatsLink): Promise<void> {
  const { connection, clock, bounds, log } = link;
  const wasUp = link.isUp;
  if (wasUp) link.desk.flush();
  link.end(drainedReason());
  if (wasUp) {
    const over = new AbortController();
    try {
      await Promise.race([connection.drain(), clock.sleep(bounds.brokerRequestMs, over.signal)]);
    } catch (error) {
      log.warn({ error }, "broker connection not drained");
    } finally {
      over.abort();
    }
  }
  await connection.close();
}

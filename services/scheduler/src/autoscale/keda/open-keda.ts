/** Puts the hands that KEDA has together, and serves KEDA. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { SchedulerQueries } from "@zfarm/broker";
import { FarmError, limits, type PoolId } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import { ExternalScalerService } from "../../gen/externalscaler.ts";
import { AskedWorkers } from "./asked-workers.ts";
import { createExternalScaler } from "./external-scaler.ts";
import type { KedaConfig, KedaTls } from "./keda-config.ts";

export interface KedaServer {
  readonly port: number;
  stop(): Promise<void>;
}

export interface OpenKedaNeeds {
  readonly config: KedaConfig;
  readonly pools: ReadonlySet<PoolId>;
  readonly queries: Pick<SchedulerQueries, "ask">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Every replica serves, whoever leads. Rejects where the port is taken. */
export async function openKedaServer(needs: OpenKedaNeeds): Promise<KedaServer> {
  const { config, log, clock } = needs;
  const stopping = new AbortController();
  const server = new Server({
    "grpc.max_receive_message_length": limits.messageBytesMax,
    "grpc.max_concurrent_streams": limits.kedaStreamsMax,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
  });
  const asked = new AskedWorkers(needs);
  const scaler = createExternalScaler({ asked, clock, log, stop: stopping.signal });
  server.addService(ExternalScalerService, scaler);
  const port = await bind(server, config);
  log.info({ port, tls: config.tls !== undefined }, "scaler for KEDA listens");
  return {
    port,
    stop: async () => {
      stopping.abort();
      await shutDown(server, clock);
    },
  };
}

function bind(server: Server, { host, port, tls }: KedaConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentialsOf(tls), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new FarmError("INTERNAL", `AUTOSCALER_KEDA_PORT: ${error.message}`));
    });
  });
}

function credentialsOf(tls: KedaTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, callers } = tls;
  const pair = { cert_chain: certificate, private_key: key };
  return ServerCredentials.createSsl(callers ?? null, [pair], callers !== undefined);
}

async function shutDown(server: Server, clock: Clock): Promise<void> {
  const done = new AbortController();
  const gone = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const late = clock.sleep(limits.kedaStopMs, done.signal).then(() => server.forceShutdown());
  await gone;
  done.abort();
  await late;
}

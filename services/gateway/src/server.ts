/** The gRPC server: its bounds, its services, and how it stops without losing a call. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type ChannelOptions, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { limits } from "@zfarm/contract";
import { HealthImplementation } from "grpc-health-check";
import type { GatewayNeeds } from "./needs.ts";
import { addServices } from "./rpc/add-services.ts";
import { CallRegistry } from "./rpc/call-registry.ts";

export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly reflection: boolean;
  /** How long a stop waits for calls before it cuts them short. */
  readonly drainMs: number;
}

export interface GatewayServer {
  readonly port: number;
  /** Calls being served. */
  readonly callCount: number;
  /** Health says NOT_SERVING, calls finish within the bound, then the server is gone. */
  stop(): Promise<void>;
}

/** After the last call ended, how long its answer may take to leave. */
const shutdownMs = 1_000;

const services = {
  render: "zfarm.v1.RenderService",
  job: "zfarm.v1.JobService",
  fleet: "zfarm.v1.FleetService",
  lora: "zfarm.v1.LoraService",
} as const;

/** The empty name stands for the whole server in the health protocol. */
const healthNames = ["", ...Object.values(services)];

export async function openServer(
  needs: GatewayNeeds,
  options: ServerOptions,
): Promise<GatewayServer> {
  const calls = new CallRegistry();
  const server = new Server(channelOptions());
  addServices(server, { needs, calls });
  const health = new HealthImplementation();
  health.addToServer(server);
  if (options.reflection) createReflection().addToServer(server);
  const port = await bind(server, `${options.host}:${options.port}`);
  for (const name of healthNames) health.setStatus(name, "SERVING");
  needs.log.info({ host: options.host, port }, "gateway listens");
  return {
    port,
    get callCount() {
      return calls.size;
    },
    stop: async () => {
      for (const name of healthNames) health.setStatus(name, "NOT_SERVING");
      await drain(needs, calls, options.drainMs);
      await shutDown(server, needs);
    },
  };
}

/** Each bound has its reason in the limits. */
function channelOptions(): ChannelOptions {
  return {
    "grpc.max_receive_message_length": limits.requestBytesMax,
    // A picture of the largest inline size and everything said about it.
    "grpc.max_send_message_length": limits.inlineImageBytesMax * 2,
    "grpc.max_concurrent_streams": limits.streamsPerConnectionMax,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.connectionGraceMs,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    // Nothing reads channelz, and it costs on every call.
    "grpc.enable_channelz": 0,
  };
}

/** Serves the API's own description, so that grpcurl and the like need no proto files. */
function createReflection(): ReflectionService {
  const contract = createRequire(import.meta.url).resolve("@zfarm/contract");
  const descriptors = readFileSync(join(dirname(contract), "gen/zfarm.binpb"));
  return new ReflectionService(loadFileDescriptorSetFromBuffer(descriptors), {
    services: Object.values(services),
  });
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

/** Waits for the calls, then ends those that are late. */
async function drain(needs: GatewayNeeds, calls: CallRegistry, drainMs: number): Promise<void> {
  const done = new AbortController();
  const late = needs.clock.sleep(drainMs, done.signal).then(() => {
    if (done.signal.aborted) return;
    needs.log.warn({ calls: calls.size }, "calls cut short by the drain");
    calls.endAll();
  });
  await calls.drain();
  done.abort();
  await late;
}

/** Lets answers leave, then closes what is still open, such as health watches. */
async function shutDown(server: Server, { clock }: GatewayNeeds): Promise<void> {
  const done = new AbortController();
  const gone = new Promise<void>((resolve) => {
    server.tryShutdown(() => resolve());
  });
  await Promise.race([gone, clock.sleep(shutdownMs, done.signal)]);
  done.abort();
  server.forceShutdown();
}

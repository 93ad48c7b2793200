/**
 * The entry of a service process: reads the configuration, serves probes and metrics, turns
 * signals into a stop and the end into an exit code. 0: asked and drained. 1: failed or late.
 * 2: bad configuration.
 */
import { type App, type RunningApp, startApp, stopWithinMsDefault } from "./app.ts";
import { showBuild } from "./build-info.ts";
import { systemClock } from "./clock.ts";
import { ConfigError, type Env, EnvReader } from "./env.ts";
import { createLog, type Log, type LogLevel, logLevels } from "./log.ts";
import { collectProcessMetrics } from "./metrics.ts";
import { openOpsServer } from "./ops-server.ts";
import { showReadiness } from "./readiness.ts";
import { tracingOff } from "./tracing.ts";
import { readTracing, type TracingConfig } from "./tracing-config.ts";
import type { OtelTracing } from "./tracing-otel.ts";

interface OpsConfig {
  readonly logLevel: LogLevel;
  readonly opsPort: number;
  readonly opsHost: string | undefined;
  readonly stopWithinMs: number;
  /** Undefined: off. */
  readonly tracing: TracingConfig | undefined;
}

/** The last spans of a process that ends; a collector that is away must not hold it up. */
const tracingCloseMs = 2_000;

/** LOG_LEVEL, OPS_PORT (0 = any free port), OPS_HOST (default: all), STOP_WITHIN_MS, OTEL_*. */
function readOpsConfig(env: Env): OpsConfig {
  const reader = new EnvReader(env);
  const config = {
    logLevel: reader.choice("LOG_LEVEL", logLevels, "info"),
    opsPort: reader.integer("OPS_PORT", { default: 0, min: 0, max: 65_535 }),
    opsHost: reader.optionalText("OPS_HOST"),
    stopWithinMs: reader.integer("STOP_WITHIN_MS", {
      default: stopWithinMsDefault,
      min: 100,
      max: 3_600_000,
    }),
    tracing: readTracing(reader),
  };
  reader.finish();
  return config;
}

/** Never returns: the process exits when the app has stopped. */
export async function runMain<C>(
  name: string,
  readConfig: (env: Env) => C,
  wire: (app: App, config: C) => Promise<void>,
): Promise<void> {
  const { ops, own } = readAllOrExit(name, readConfig);
  const log = createLog({ name, level: ops.logLevel });
  const asked = listenToSignals(log);
  const traces = await openTracing(ops.tracing, { name, log });
  const running = startApp({
    name,
    log,
    tracing: traces ?? tracingOff,
    stopWithinMs: ops.stopWithinMs,
    wire: async (app) => {
      collectProcessMetrics(app.registry);
      showBuild(app.registry, name);
      showReadiness(app.registry, () => running.problems());
      await openOps(app, ops, running);
      await wire(app, own);
    },
  });
  // It may have come while the tracing was loaded, and an abort is told only once.
  if (asked.aborted) void running.stop();
  else asked.addEventListener("abort", () => void running.stop());
  // An error nobody caught is a bug: Node ends the process, and the log should say why.
  process.on("uncaughtExceptionMonitor", (error) => log.error({ error }, "uncaught error"));
  const exitCode = await running.done;
  if (traces !== undefined) await closeTracing(traces, log);
  process.exit(exitCode);
}

/** The SDK is loaded only here, and only where somebody wants the spans. */
async function openTracing(
  config: TracingConfig | undefined,
  process: { readonly name: string; readonly log: Log },
): Promise<OtelTracing | undefined> {
  if (config === undefined) return undefined;
  const { openOtelTracing } = await import("./tracing-otel.ts");
  process.log.info({ url: config.url, ratio: config.ratio }, "traces are sent");
  return openOtelTracing(config, process);
}

async function closeTracing(traces: OtelTracing, log: Log): Promise<void> {
  const done = new AbortController();
  const closing = traces.close().catch((error: unknown) => {
    log.warn({ error }, "last spans not sent");
  });
  await Promise.race([closing, systemClock.sleep(tracingCloseMs, done.signal)]);
  done.abort();
}

/** Both configurations, or exit code 2 with the problems of both on stderr. */
function readAllOrExit<C>(
  name: string,
  readConfig: (env: Env) => C,
): { readonly ops: OpsConfig; readonly own: C } {
  // oxlint-disable-next-line node/no-process-env -- the one place that hands the environment on
  const env = process.env;
  const problems: string[] = [];
  const ops = collect(problems, () => readOpsConfig(env));
  const own = collect(problems, () => readConfig(env));
  if (ops !== undefined && own !== undefined) return { ops: ops.value, own: own.value };
  const lines = problems.map((problem) => `  ${problem}\n`).join("");
  process.stderr.write(`${name}: the configuration has problems:\n${lines}`);
  process.exit(2);
}

function collect<T>(problems: string[], read: () => T): { readonly value: T } | undefined {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/** Opened first, so that it closes last and probes are answered through the whole stop. */
async function openOps(app: App, config: OpsConfig, running: RunningApp): Promise<void> {
  const server = await app.open(
    "ops server",
    openOpsServer({
      port: config.opsPort,
      ...(config.opsHost === undefined ? {} : { host: config.opsHost }),
      registry: app.registry,
      problems: () => running.problems(),
    }),
    (open) => open.close(),
  );
  app.log.info({ port: server.port }, "ops server listens");
}

/** Aborts on the first signal, which asks; the second one insists and ends the process. */
function listenToSignals(log: Log): AbortSignal {
  const asked = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!asked.signal.aborted) {
      log.info({ signal }, "stop was asked for");
      asked.abort();
      return;
    }
    log.warn({ signal }, "stop was asked for again, exiting now");
    process.exit(1);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return asked.signal;
}

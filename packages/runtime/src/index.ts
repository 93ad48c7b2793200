/** What every process of the farm needs, whatever it does. Knows nothing of pictures. */
export {
  type App,
  type AppOptions,
  AppStoppedError,
  type RunningApp,
  startApp,
  stopWithinMsDefault,
} from "./app.ts";
export { type BackoffOptions, backoffMs } from "./backoff.ts";
export { showBuild } from "./build-info.ts";
export { type Clock, systemClock } from "./clock.ts";
export { ConfigError, type Env, EnvReader } from "./env.ts";
export { findFreePort } from "./find-free-port.ts";
export { forEachBounded } from "./for-each-bounded.ts";
export { InvariantError, invariant } from "./invariant.ts";
export { withLargePages } from "./large-pages.ts";
export { createLog, type Log, type LogLevel, logLevels, silentLog } from "./log.ts";
export {
  Counter,
  collectProcessMetrics,
  Gauge,
  Histogram,
  Registry,
  startAtZero,
} from "./metrics.ts";
export { type OpsServer, type OpsServerOptions, openOpsServer } from "./ops-server.ts";
export type { ReadinessCheck } from "./readiness.ts";
export { runMain } from "./run-main.ts";
export { Secret } from "./secret.ts";
export { formatTraceParent, parseTraceParent, type TraceParent } from "./traceparent.ts";
export { type Span, type SpanFacts, type Tracing, tracingOff } from "./tracing.ts";
export * from "./user-folder.ts";

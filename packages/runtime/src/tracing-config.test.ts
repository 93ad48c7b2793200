import { describe, expect, test } from "vitest";
import { type ConfigError, type Env, EnvReader } from "./env.ts";
import { readTracing, type TracingConfig } from "./tracing-config.ts";

function read(env: Env): TracingConfig | undefined {
  const reader = new EnvReader(env);
  const config = readTracing(reader);
  reader.finish();
  return config;
}

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

describe("the configuration of traces", () => {
  test("is off where no endpoint is named", () => {
    expect(read({})).toBeUndefined();
    expect(read({ OTEL_SERVICE_NAME: "zfarm", OTEL_TRACES_SAMPLER: "always_on" })).toBeUndefined();
  });

  test("is off where the standard's switches say so", () => {
    expect(read({ ...endpoint, OTEL_SDK_DISABLED: "true" })).toBeUndefined();
    expect(read({ ...endpoint, OTEL_TRACES_EXPORTER: "none" })).toBeUndefined();
  });

  test("adds the signal's path to the common endpoint, not to the traces' own", () => {
    expect(read(endpoint)?.url).toBe("http://collector:4318/v1/traces");
    const slash = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector/otlp/" };
    expect(read(slash)?.url).toBe("https://collector/otlp/v1/traces");
    const own = { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:1/here" };
    expect(read(own)?.url).toBe("http://traces:1/here");
  });

  test("keeps every trace and follows callers unless it is told otherwise", () => {
    expect(read(endpoint)).toMatchObject({ ratio: 1, followsParent: true });
    const share = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio" };
    expect(read({ ...endpoint, ...share })?.ratio).toBe(1);
    expect(read({ ...endpoint, ...share, OTEL_TRACES_SAMPLER_ARG: "0.05" })?.ratio).toBe(0.05);
    const never = { ...endpoint, OTEL_TRACES_SAMPLER: "always_off" };
    expect(read(never)).toMatchObject({ ratio: 0, followsParent: false });
  });

  test("names what cannot be done, each by its variable", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG: "1.5",
      OTEL_BSP_MAX_QUEUE_SIZE: "0",
    };
    try {
      read(env);
      expect.unreachable();
    } catch (error) {
      const { problems } = error as ConfigError;
      for (const name of Object.keys(env)) expect(problems.join("\n")).toContain(name);
    }
  });
});

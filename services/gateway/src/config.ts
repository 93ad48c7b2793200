/** What a gateway can be told from outside. */
import { type Durability, readDurability } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { type Env, EnvReader, userFolder } from "@zfarm/runtime";

export interface GatewayConfig {
  readonly host: string;
  /** 0 takes any free port; the bound one is logged. */
  readonly port: number;
  readonly reflection: boolean;
  /** How long a stop waits for calls; shorter than STOP_WITHIN_MS. */
  readonly drainMs: number;
  readonly durability: Durability;
  /** Where uploads lie until they are checked and stored. */
  readonly uploadDir: string;
}

/** All problems at once, as ConfigError. */
export function readGatewayConfig(env: Env): GatewayConfig {
  const reader = new EnvReader(env);
  const config = readGateway(reader);
  reader.finish();
  return config;
}

/** The same from a reader that others read from too; its `finish` is the caller's. */
export function readGateway(env: EnvReader): GatewayConfig {
  return {
    host: env.text("GATEWAY_HOST", { default: "0.0.0.0" }),
    port: env.integer("GATEWAY_PORT", { default: 50_051, min: 0, max: 65_535 }),
    // The API is public, so its description gives nothing away.
    reflection: env.boolean("GATEWAY_REFLECTION", true),
    drainMs: env.integer("GATEWAY_DRAIN_MS", { default: limits.drainMs, min: 0, max: 3_600_000 }),
    durability: readDurability(env),
    uploadDir: env.text("GATEWAY_UPLOAD_DIR", { default: userFolder("zfarm-uploads") }),
  };
}

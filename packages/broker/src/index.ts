/** The farm's broker: what it promises, on NATS and in memory. */
export * from "./bounds.ts";
export * from "./broker.ts";
export * from "./broker-users.ts";
export * from "./config.ts";
export * from "./copy-outcomes.ts";
export * from "./find-copies.ts";
export * from "./memory/memory-broker.ts";
export * from "./nats/connect-nats-broker.ts";
export * from "./nats/server-user.ts";

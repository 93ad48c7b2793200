/** The gateway as a part: `zfarm up` and tests wire it into their own process. */
export { type GatewayConfig, readGatewayConfig } from "./config.ts";
export { violationReasons } from "./domain/violations.ts";
export { reportOf } from "./loras/report-of.ts";
export { wireGateway } from "./wire-gateway.ts";

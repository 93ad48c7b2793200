/** Types of nats-exporter.mjs for the tests that run it. */
import type { GoToolAtHand } from "./go-tool.d.mts";

export declare const natsExporter: GoToolAtHand;

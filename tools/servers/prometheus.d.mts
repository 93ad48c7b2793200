/** Types of prometheus.mjs for the tests that run it. */
import type { GoToolAtHand } from "./go-tool.d.mts";

export declare const prometheus: GoToolAtHand;
export declare const promtool: GoToolAtHand;

/** Types of helm.mjs for the tests that run it. */
import type { GoToolAtHand } from "./go-tool.d.mts";

export declare const helm: GoToolAtHand;
export declare const helm3: GoToolAtHand;

/** Types of seaweedfs.mjs for the tests that start the chart's object store. */
import type { GoToolAtHand } from "./go-tool.d.mts";

export declare const seaweedfs: GoToolAtHand;

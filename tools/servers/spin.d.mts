/** Types of spin.mjs for the tests that check models. */
import type { FoundServer } from "./nats-server.d.mts";

export declare function findSpin(options?: {
  readonly fetch?: boolean;
  readonly log?: (text: string) => void;
}): Promise<FoundServer | undefined>;

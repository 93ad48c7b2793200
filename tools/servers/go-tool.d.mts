/** Types of go-tool.mjs for the tests that run what it builds. */
import type { FoundServer } from "./nats-server.d.mts";

export interface GoToolAtHand {
  /** What messages call it, its release included. */
  readonly title: string;
  readonly find: (options?: {
    readonly fetch?: boolean;
    readonly log?: (text: string) => void;
  }) => Promise<FoundServer | undefined>;
  /** Whether `find({ fetch: true })` could build it here. */
  readonly canBuild: () => Promise<boolean>;
}

export interface GoTool {
  readonly name: string;
  readonly title: string;
  readonly variable: string;
  readonly probeMs?: number;
  readonly versionArgument?: string;
  readonly readVersion?: (text: string) => string | undefined;
  readonly module?: string;
  readonly version: string;
  readonly go: readonly number[];
  readonly package: string;
  readonly wrapper?: string;
  readonly stamps?: Readonly<Record<string, string>>;
}

export declare function goTool(tool: GoTool): GoToolAtHand;

/** Types of nats-server.mjs for the tests that start servers. */
export interface FoundServer {
  readonly path: string;
  readonly version: string;
  /** Where it came from, in words. */
  readonly source: string;
}

export declare function findNatsServer(options?: {
  readonly fetch?: boolean;
  readonly log?: (text: string) => void;
}): Promise<FoundServer | undefined>;

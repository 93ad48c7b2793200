/** Types of minio.mjs for the tests that start servers. */
import type { FoundServer } from "./nats-server.d.mts";

export declare function findMinio(options?: {
  readonly fetch?: boolean;
  readonly log?: (text: string) => void;
}): Promise<FoundServer | undefined>;

export declare function canBuildMinio(): Promise<boolean>;

/** Types of keda.mjs for the tests that start KEDA. */

/** Paths of the binaries, and of the folder that the module's own objects are in. */
export interface KedaPaths {
  readonly operator: string;
  readonly adapter: string;
  readonly config: string;
}

export declare function findKeda(options?: {
  readonly fetch?: boolean;
  readonly log?: (text: string) => void;
}): Promise<KedaPaths | undefined>;

export declare function canBuildKeda(): Promise<boolean>;

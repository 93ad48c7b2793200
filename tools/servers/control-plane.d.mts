/** Types of control-plane.mjs for the tests that start one. */

/** Paths of the binaries. */
export interface ControlPlanePaths {
  readonly etcd: string;
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kwok: string;
}

export declare function findControlPlane(options?: {
  readonly fetch?: boolean;
  readonly log?: (text: string) => void;
}): Promise<ControlPlanePaths | undefined>;

export declare function canBuildControlPlane(): Promise<boolean>;

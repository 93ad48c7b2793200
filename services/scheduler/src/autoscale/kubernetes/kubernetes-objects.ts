/** The parts of Kubernetes' objects that the autoscaler reads, as they are in JSON. */

export interface Metadata {
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

export interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly lastTransitionTime?: string;
}

export interface ContainerStatus {
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: { readonly startedAt?: string };
  };
}

export interface Pod {
  readonly metadata: Metadata;
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly PodCondition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** How many pods a Deployment should have, and which are its own; zero is left out. */
export interface Scale {
  readonly metadata: Metadata;
  readonly spec?: { readonly replicas?: number };
  /** A label selector as text. */
  readonly status?: { readonly selector?: string };
}

/** A HorizontalPodAutoscaler or KEDA's ScaledObject. */
export interface Scaler {
  readonly metadata: Metadata;
  readonly spec?: { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } };
}

export interface List<Item> {
  readonly items: readonly Item[];
}

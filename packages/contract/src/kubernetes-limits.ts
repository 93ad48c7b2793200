/** Bounds of what the autoscaler asks of Kubernetes, each with its reason; part of `limits`. */
export const kubernetesLimits = {
  /** One answer of the API server: a list of a thousand pods takes a tenth of a second. */
  kubernetesCallMs: 5_000,
  /** Requests for one call; a longer outage costs ticks, and nothing changes meanwhile. */
  kubernetesTriesMax: 3,
  kubernetesBackoffMsFirst: 200,
  /** Longest wait before the next try, whatever Retry-After asks for: the next tick tries anew. */
  kubernetesBackoffMsMax: 2_000,
  /** Connections are opened anew after this long, with the certificates of then. */
  kubernetesConnectionMs: 60_000,
  /** Requests of one pool on their way at once. */
  kubernetesParallel: 8,
  /**
   * Between the marks of pods and the lower number. The ReplicaSet controller hears of both by ways
   * of their own: one that heard of the number first would take pods without a mark.
   */
  kubernetesMarksSeenMs: 500,
  /** Pods that no node takes for so long are called so; below it the scheduler was only busy. */
  kubernetesUnschedulableMs: 10_000,
  /** Waited so long for its node, a pod had one made: nodes take minutes, a free one a second. */
  kubernetesNewNodeMs: 15_000,
  /** Restarts from which on a pod that is not ready counts as one that cannot start. */
  kubernetesRestartsMax: 3,
  /** Events of one process in a minute; each is an object that etcd keeps for an hour. */
  kubernetesEventsPerMinute: 30,
  /** A replica uses what it knows of the leader's decisions this long. */
  kedaKnownMs: 1_000,
  /** Streams of KEDA to one replica: one for each pool, and a few that are being given up. */
  kedaStreamsMax: 256,
  /** A replica that stops waits this long for KEDA's calls. */
  kedaStopMs: 2_000,
  /** Characters of an answer of the API server that an error text repeats. */
  kubernetesAnswerCharsMax: 300,
} as const;

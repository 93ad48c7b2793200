/**
 * What the hands may do in the cluster, all of it in one namespace: exactly what they use. The
 * Role of the chart grants this and no more; RBAC cannot say "only this annotation of a pod".
 */
export interface KubernetesRight {
  /** "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
}

/** To see workers, and to mark those that go first. */
const seeWorkers: readonly KubernetesRight[] = [
  { group: "", resource: "pods", verbs: ["list", "patch"] },
];

export const kubernetesRights: readonly KubernetesRight[] = [
  ...seeWorkers,
  { group: "apps", resource: "deployments/scale", verbs: ["get", "update"] },
  { group: "autoscaling", resource: "horizontalpodautoscalers", verbs: ["list"] },
  { group: "keda.sh", resource: "scaledobjects", verbs: ["list"] },
  { group: "", resource: "events", verbs: ["create"] },
];

/** With KEDA the number is KEDA's to change. */
export const kedaRights: readonly KubernetesRight[] = [
  ...seeWorkers,
  { group: "apps", resource: "deployments/scale", verbs: ["get"] },
];

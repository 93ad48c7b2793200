/** Objects of Kubernetes for tests: the nodes that workers need, and how kwok plays their pods. */

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Nodes with this label are kwok's; taking it away is the node's silent loss. */
export const simulatedNodeLabel = "zfarm.example/simulated";
/** Pods with this annotation are processes of somebody's, who says when they are ready. */
export const playedAnnotation = "zfarm.example/played";
/** How long a pod starts up once it is on a node, as Go writes durations: `1500ms`. */
export const startDelayAnnotation = "zfarm.example/start-delay";

export function gpuNode(name: string, gpus: number): KubeObject {
  const room = { cpu: "64", memory: "512Gi", pods: "110", "nvidia.com/gpu": String(gpus) };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        [simulatedNodeLabel]: "true",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "nvidia.com/gpu.present": "true",
        "topology.kubernetes.io/zone": "zone-a",
      },
    },
    status: { allocatable: room, capacity: room },
  };
}

const exists = (key: string) => ({ key, operator: "Exists" });
const absent = (key: string) => ({ key, operator: "DoesNotExist" });
const among = (key: string, ...values: string[]) => ({ key, operator: "In", values });
const notAmong = (key: string, ...values: string[]) => ({ key, operator: "NotIn", values });

const annotation = (key: string): string => `.metadata.annotations["${key}"]`;
const readyCondition = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const ownerKind = ".metadata.ownerReferences.[].kind";

const pendingPod = [
  absent(".metadata.deletionTimestamp"),
  among(".status.phase", "Pending"),
  notAmong(readyCondition, "True"),
];

/** What kwok does with nodes and pods, in the order of their lives. */
export function kwokStages(): KubeObject[] {
  return [
    stage("node-ready", "Node", {
      selector: [notAmong(readyCondition, "True")],
      next: { statusTemplate: nodeStatus },
    }),
    stage("pod-ready", "Pod", {
      selector: [...pendingPod, absent(annotation(playedAnnotation))],
      delay: delayFrom(annotation(startDelayAnnotation)),
      next: { statusTemplate: podStatus("True") },
    }),
    stage("pod-started", "Pod", {
      selector: [...pendingPod, exists(annotation(playedAnnotation))],
      delay: delayFrom(annotation(startDelayAnnotation)),
      next: { statusTemplate: podStatus("False") },
    }),
    // Two that end by themselves: pods of jobs, and those that a chart's tests are.
    ...[among(ownerKind, "Job"), exists(annotation("helm.sh/hook"))].map((own, index) =>
      stage(`pod-complete-${index}`, "Pod", {
        selector: [absent(".metadata.deletionTimestamp"), among(".status.phase", "Running"), own],
        next: { statusTemplate: podDone },
      }),
    ),
    // Whoever plays the pod's process takes the pod away once that has ended; this is the kubelet's
    // last word when the time of grace is over.
    stage("pod-gone", "Pod", {
      selector: [exists(".metadata.deletionTimestamp")],
      delay: delayFrom(".metadata.deletionTimestamp"),
      next: { delete: true },
    }),
  ];
}

function delayFrom(expressionFrom: string) {
  return { durationMilliseconds: 0, durationFrom: { expressionFrom } };
}

interface StageSpec {
  readonly selector: readonly object[];
  readonly delay?: object;
  readonly next: object;
}

function stage(name: string, kind: string, { selector, ...rest }: StageSpec): KubeObject {
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: "v1", kind },
      selector: { matchExpressions: selector },
      ...rest,
    },
  };
}

const nodeStatus = `
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
phase: Running
`;

const podStatus = (isReady: "True" | "False"): string => `
{{ $now := Now }}
conditions:
- lastTransitionTime: {{ $now | Quote }}
  status: "True"
  type: Initialized
{{ range $type := list "ContainersReady" "Ready" }}
- lastTransitionTime: {{ $now | Quote }}
  status: "${isReady}"
  type: {{ $type | Quote }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: ${isReady === "True"}
  started: true
  restartCount: 0
  state:
    running:
      startedAt: {{ $now | Quote }}
{{ end }}
phase: Running
startTime: {{ $now | Quote }}
`;

const podDone = `
{{ $now := Now }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
phase: Succeeded
`;

/** A resource that the cluster takes as it comes: its makers' own schema is not at hand. */
export function openResource(group: string, version: string, kind: string): KubeObject {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular, listKind: `${kind}List` },
      versions: [
        { name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } },
      ],
    },
  };
}

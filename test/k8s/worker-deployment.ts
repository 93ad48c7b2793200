/** A Deployment of pods that ask for one GPU each, as plain as tests of the control plane need. */
import { type KubeObject, playedAnnotation, startDelayAnnotation } from "@zfarm/testing";

export interface WorkerDeployment {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  /** Its pods are processes, which say themselves when they are ready. */
  readonly isPlayed?: boolean;
  readonly graceSeconds?: number;
  /** How long each takes to come up once it has a node, as Go writes it. */
  readonly startDelay?: string;
}

export function workerDeployment(options: WorkerDeployment): KubeObject {
  const { namespace, name, replicas, isPlayed = false, graceSeconds = 1, startDelay } = options;
  const labels = { app: name };
  const annotations = {
    ...(isPlayed ? { [playedAnnotation]: "true" } : {}),
    ...(startDelay === undefined ? {} : { [startDelayAnnotation]: startDelay }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations },
        spec: restrictedPod(graceSeconds),
      },
    },
  };
}

/** Fits Pod Security `restricted`. */
export function restrictedPod(graceSeconds: number): object {
  return {
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "worker",
        image: "worker",
        resources: { limits: { "nvidia.com/gpu": "1" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}

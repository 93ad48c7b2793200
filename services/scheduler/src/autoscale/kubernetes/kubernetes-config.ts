/** Which cluster and namespace the autoscaler's hands reach into. */
import { readFileSync } from "node:fs";
import type { EnvReader } from "@zfarm/runtime";

export interface KubernetesConfig {
  readonly namespace: string;
  /** Path of a kubeconfig; absent: the service account of the pod that this runs in. */
  readonly kubeconfig?: string;
}

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const namespacePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const namespaceRule = "1 to 63 of a-z 0-9 -, not starting or ending with -";

/** POD_NAMESPACE, else the one that Kubernetes tells pods in a file; KUBECONFIG outside of one. */
export function readKubernetes(reader: EnvReader): KubernetesConfig {
  const mounted = readMounted();
  const namespace = reader.text("POD_NAMESPACE", {
    ...(mounted === undefined ? {} : { default: mounted }),
    pattern: namespacePattern,
    rule: namespaceRule,
  });
  const kubeconfig = reader.optionalText("KUBECONFIG");
  if (kubeconfig === undefined && !reader.has("KUBERNETES_SERVICE_HOST")) {
    const why =
      "KUBERNETES_SERVICE_HOST is not set, as it is in every pod, and neither is KUBECONFIG";
    reader.problem(`there is no Kubernetes to scale workers in: ${why}`);
  }
  return { namespace, ...(kubeconfig === undefined ? {} : { kubeconfig }) };
}

function readMounted(): string | undefined {
  try {
    return readFileSync(namespaceFile, "utf8").trim();
  } catch {
    return undefined;
  }
}

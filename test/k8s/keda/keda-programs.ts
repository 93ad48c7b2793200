/** How each program of KEDA is started: on the loopback, and in the folder of its control plane. */
import type { KubeProgram } from "@zfarm/testing";
import type { KedaPaths } from "../../../tools/servers/keda.mjs";

const loopback = "127.0.0.1";

export interface KedaPlace {
  readonly paths: KedaPaths;
  readonly namespace: string;
  /** Of KEDA's account. */
  readonly kubeconfig: string;
  /** With ca.crt, tls.crt and tls.key, in the control plane's folder. */
  readonly certificates: string;
  /** Where the adapter finds the operator. */
  readonly operatorPort: number;
  readonly adapterPort: number;
}

/** @param network The proxy that knows Services; empty where none has to be found. */
export function kedaOperator(place: KedaPlace, network: string): KubeProgram {
  const args = [
    `--cert-dir=${place.certificates}`,
    "--enable-prometheus-metrics=false",
    `--health-probe-bind-address=${loopback}:0`,
    `--metrics-service-bind-address=${loopback}:${place.operatorPort}`,
    "--zap-log-level=debug",
  ];
  const own = { HTTPS_PROXY: network, KEDA_CLUSTER_OBJECT_NAMESPACE: place.namespace };
  const env = { ...environment(place), ...own };
  return { name: "keda-operator", path: place.paths.operator, args, env };
}

export function kedaAdapter(place: KedaPlace): KubeProgram {
  const { certificates, kubeconfig } = place;
  const args = [
    `--bind-address=${loopback}`,
    `--secure-port=${place.adapterPort}`,
    `--cert-dir=${certificates}`,
    `--client-ca-file=${certificates}/ca.crt`,
    `--tls-cert-file=${certificates}/tls.crt`,
    `--tls-private-key-file=${certificates}/tls.key`,
    `--metrics-service-address=${loopback}:${place.operatorPort}`,
    // Its own metrics, on every address: it takes no other.
    "--port=0",
    ...["lister", "authentication", "authorization"].map(
      (part) => `--${part}-kubeconfig=${kubeconfig}`,
    ),
  ];
  return { name: "keda-adapter", path: place.paths.adapter, args, env: environment(place) };
}

function environment({ kubeconfig, namespace }: KedaPlace): Record<string, string> {
  return { KUBECONFIG: kubeconfig, POD_NAMESPACE: namespace, WATCH_NAMESPACE: "" };
}

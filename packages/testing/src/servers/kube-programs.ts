/** How each program of a control plane is started: on the loopback, in its folder, and quick. */
import type { ControlPlanePaths } from "../../../../tools/servers/control-plane.mjs";
import { simulatedNodeLabel } from "./kube-objects.ts";
import type { KubeProgram } from "./kube-process.ts";

const loopback = "127.0.0.1";
/** Nobody else is served, so no client is slowed down. */
const unhurried = ["--kube-api-qps=1000", "--kube-api-burst=2000", "--leader-elect=false"];

/** A node that is silent for this long is lost; kwok renews its lease four times meanwhile. */
const nodeSilenceSeconds = 8;

export function etcd(
  paths: ControlPlanePaths,
  ports: { client: number; peer: number },
): KubeProgram {
  const [client, peer] = [ports.client, ports.peer].map((port) => `http://${loopback}:${port}`);
  const args = [
    "--name=etcd",
    "--data-dir=etcd",
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=etcd=${peer}`,
    "--log-level=warn",
    // Nothing here outlives the process.
    "--unsafe-no-fsync",
  ];
  return { name: "etcd", path: paths.etcd, args };
}

export function apiServer(
  paths: ControlPlanePaths,
  ports: { securePort: number; etcdPort: number },
): KubeProgram {
  const args = [
    `--etcd-servers=http://${loopback}:${ports.etcdPort}`,
    `--bind-address=${loopback}`,
    `--advertise-address=${loopback}`,
    `--secure-port=${ports.securePort}`,
    // It makes a key and a certificate there, and nobody else needs one.
    "--cert-dir=certificates",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-account-key-file=accounts.pub",
    "--service-account-signing-key-file=accounts.key",
    "--service-cluster-ip-range=10.0.0.0/16",
    ...frontProxy,
    "--audit-policy-file=audit-policy.json",
    "--audit-log-path=audit.log",
    // The loopback is no address that pods could use.
    "--endpoint-reconciler-type=none",
    "--enable-priority-and-fairness=false",
    "--max-requests-inflight=0",
    "--max-mutating-requests-inflight=0",
    // Pods of a lost node are given up at once, not after five minutes.
    "--default-not-ready-toleration-seconds=0",
    "--default-unreachable-toleration-seconds=0",
  ];
  return { name: "kube-apiserver", path: paths.apiServer, args };
}

/** How it passes on what others serve: with the caller's name in headers. */
const frontProxy = [
  "--requestheader-client-ca-file=front-proxy-ca.crt",
  "--requestheader-allowed-names=front-proxy",
  "--requestheader-username-headers=X-Remote-User",
  "--requestheader-group-headers=X-Remote-Group",
  "--requestheader-extra-headers-prefix=X-Remote-Extra-",
  "--proxy-client-cert-file=front-proxy.crt",
  "--proxy-client-key-file=front-proxy.key",
];

export function controllers(paths: ControlPlanePaths): KubeProgram {
  const args = [
    "--kubeconfig=kubeconfig",
    "--service-account-private-key-file=accounts.key",
    "--root-ca-file=certificates/apiserver.crt",
    "--secure-port=0",
    ...unhurried,
    "--node-monitor-period=1s",
    `--node-monitor-grace-period=${nodeSilenceSeconds}s`,
    "--node-eviction-rate=100",
    // Every 15 s elsewhere.
    "--horizontal-pod-autoscaler-sync-period=2s",
  ];
  return { name: "kube-controller-manager", path: paths.controllerManager, args };
}

export function scheduler(paths: ControlPlanePaths): KubeProgram {
  const args = ["--kubeconfig=kubeconfig", "--secure-port=0", ...unhurried];
  return { name: "kube-scheduler", path: paths.scheduler, args };
}

export function kwok(paths: ControlPlanePaths): KubeProgram {
  const args = [
    "--kubeconfig=kubeconfig",
    "--config=stages.yaml",
    `--manage-nodes-with-label-selector=${simulatedNodeLabel}=true`,
    `--node-lease-duration-seconds=${nodeSilenceSeconds}`,
    "--node-ip=127.0.0.1",
  ];
  return { name: "kwok", path: paths.kwok, args };
}

/**
 * The programs of a Kubernetes control plane with simulated nodes, and how they are built into the
 * user's cache: some ten minutes on two cores, 3 GB in Go's own caches. Also a command:
 * `node tools/servers/control-plane.mjs [--fetch]` prints their paths.
 */
import { fileURLToPath } from "node:url";
import { goTool } from "./go-tool.mjs";
import { parseVersion } from "./versions.mjs";

const kubernetes = "1.36.3";
const [major, minor] = kubernetes.split(".");

/** They print `Kubernetes v1.36.3`, and without stamps a release that Helm takes for an old one. */
function kubernetesTool(name, variable) {
  return goTool({
    name,
    title: name,
    variable,
    probeMs: 20_000,
    readVersion: (text) => parseVersion(text)?.join("."),
    version: kubernetes,
    go: [1, 26],
    package: `k8s.io/kubernetes/cmd/${name}`,
    wrapper: "kubernetes",
    stamps: {
      "k8s.io/component-base/version.gitVersion": `v${kubernetes}`,
      "k8s.io/component-base/version.gitMajor": major,
      "k8s.io/component-base/version.gitMinor": minor,
      "k8s.io/client-go/pkg/version.gitVersion": `v${kubernetes}`,
    },
  });
}

export const controlPlane = {
  /** The newest of the line that Kubernetes 1.36 is tested with by its own installer. */
  etcd: goTool({
    name: "etcd",
    title: "etcd",
    variable: "ETCD_BIN",
    probeMs: 20_000,
    readVersion: (text) => /etcd Version: ([\d.]+)/.exec(text)?.[1],
    version: "3.6.16",
    go: [1, 26],
    package: "go.etcd.io/etcd/server/v3",
    wrapper: "etcd",
  }),
  apiServer: kubernetesTool("kube-apiserver", "KUBE_APISERVER_BIN"),
  controllerManager: kubernetesTool("kube-controller-manager", "KUBE_CONTROLLER_MANAGER_BIN"),
  scheduler: kubernetesTool("kube-scheduler", "KUBE_SCHEDULER_BIN"),
  /** Nodes and the pods on them, as records without processes. */
  kwok: goTool({
    name: "kwok",
    title: "kwok",
    variable: "KWOK_BIN",
    probeMs: 20_000,
    readVersion: (text) => parseVersion(text)?.join("."),
    version: "0.8.0",
    go: [1, 26],
    package: "sigs.k8s.io/kwok/cmd/kwok",
  }),
};

/**
 * The paths of all of them, or undefined where one cannot be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 */
export async function findControlPlane(options = {}) {
  const paths = {};
  for (const [part, tool] of Object.entries(controlPlane)) {
    const found = await tool.find(options);
    if (found === undefined) return undefined;
    paths[part] = found.path;
  }
  return paths;
}

/** Whether `findControlPlane({ fetch: true })` could build what is missing. */
export function canBuildControlPlane() {
  return controlPlane.apiServer.canBuild();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fetch = process.argv.includes("--fetch");
  const log = (text) => process.stderr.write(`${text}\n`);
  const paths = await findControlPlane({ fetch, log });
  if (paths === undefined) process.exitCode = 1;
  else process.stdout.write(`${Object.values(paths).join("\n")}\n`);
}

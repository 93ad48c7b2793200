/** The chart as Helm renders it, for tests that look at the objects. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findToolForTests } from "@zfarm/testing";
import { parseAllDocuments } from "yaml";
import { helm } from "../../tools/servers/helm.mjs";

const run = promisify(execFile);
const root = new URL("../../", import.meta.url);

export const chartFolder = fileURLToPath(new URL("deploy/helm/zfarm", root));
/** One file of `ci/` each. */
export const variants = ["minimal", "full", "keda", "keda-tls", "fixed", "bundled"] as const;
/** For a cluster with the Prometheus operator. */
export const withOperator = ["--api-versions", "monitoring.coreos.com/v1"] as const;
/** Undefined, and said loudly, where there is no Helm. */
export const helmAtHand = await findToolForTests(helm, "helm.mjs");

/** As much of an object as the tests look at. */
export interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly spec?: Record<string, unknown>;
  readonly data?: Record<string, string>;
  readonly rules?: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[];
}

/** What Helm prints for one file of `ci/`; rejects with what it says where it refuses. */
export async function renderText(variant: string, ...options: string[]): Promise<string> {
  const values = ["--values", `${chartFolder}/ci/${variant}-values.yaml`];
  const args = ["template", "farm", chartFolder, "--namespace", "zfarm", ...values, ...options];
  const { stdout } = await run(helmAtHand?.path ?? "helm", args, { maxBuffer: 64 * 2 ** 20 });
  return stdout;
}

export async function renderChart(variant: string, ...options: string[]): Promise<Rendered[]> {
  const documents = parseAllDocuments(await renderText(variant, ...options));
  return documents.map((document) => document.toJS() as Rendered | null).filter((one) => !!one);
}

/** The pods that an object makes, or is. */
export interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly shareProcessNamespace?: boolean;
  readonly serviceAccountName?: string;
  readonly securityContext: Record<string, unknown>;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly ({ readonly name: string } & Record<string, unknown>)[];
}

export interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly securityContext: Record<string, unknown>;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle?: {
    readonly preStop?: { readonly sleep: { readonly seconds: number } };
    readonly postStart?: { readonly exec: { readonly command: readonly string[] } };
  };
  readonly resources: { readonly limits?: Record<string, unknown> };
  readonly startupProbe?: {
    readonly httpGet?: { readonly path: string };
    readonly periodSeconds: number;
    readonly failureThreshold: number;
  };
}

export function podOf({ kind, spec }: Rendered): PodSpec | undefined {
  if (kind === "Pod") return spec as unknown as PodSpec;
  const template = spec?.["template"] as { spec?: PodSpec } | undefined;
  return template?.spec;
}

export function podsOf(objects: readonly Rendered[]): PodSpec[] {
  return objects.map(podOf).filter((pod) => pod !== undefined);
}

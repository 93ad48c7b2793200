/** What a service account may do, and what it did: both as `<verb> <resource>.<group>`. */
import type { AuditedRequest, KubeClient } from "@zfarm/testing";
import type { Cluster } from "./cluster.ts";

interface Account {
  readonly namespace: string;
  readonly name: string;
}

interface Granted {
  /** "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Binding {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly name: string; readonly namespace?: string }[];
}

/** Makes a service account that has the rights of the list, and no other. */
export async function grantRights(
  { client }: Cluster,
  { namespace, name }: Account,
  granted: readonly Granted[],
): Promise<void> {
  const metadata = { name, namespace };
  await client.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata });
  const rules = granted.map(({ group, resource, verbs }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs,
  }));
  const apiVersion = "rbac.authorization.k8s.io/v1";
  await client.apply({ apiVersion, kind: "Role", metadata, rules });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  await client.apply({ apiVersion, kind: "RoleBinding", metadata, roleRef, subjects });
}

/** From the Roles of its namespace that are bound to it; ClusterRoles count as none. */
export async function rightsOf(
  client: KubeClient,
  { namespace, name }: Account,
): Promise<string[]> {
  const root = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const bound = await client.get<{ items: Binding[] }>(`${root}/rolebindings`);
  const roles = bound.items
    .filter(({ subjects = [] }) => subjects.some((subject) => subject.name === name))
    .map(({ roleRef }) => client.get<{ rules: Rule[] }>(`${root}/roles/${roleRef.name}`));
  const rules = (await Promise.all(roles)).flatMap((role) => role.rules);
  return [...new Set(rules.flatMap(expand))].sort();
}

export function usedRights(audited: readonly AuditedRequest[], user: string): string[] {
  const own = audited.filter((request) => request.user === user);
  return [...new Set(own.map(({ verb, resource }) => `${verb} ${resource}`))].sort();
}

function expand({ apiGroups, resources, verbs }: Rule): string[] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => {
      const full = group === "" ? resource : `${resource}.${group}`;
      return verbs.map((verb) => `${verb} ${full}`);
    }),
  );
}

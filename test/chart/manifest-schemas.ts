/**
 * Schemas of the kinds of objects that the chart makes, out of what an API server says of itself:
 * strict, so that a field that Kubernetes does not know is an error. `gen/` holds them for the
 * release that tests run on; `vitest run --project k8s chart.test -u` writes them anew.
 */

/** By kind, as the chart asks for them. */
const versions: Readonly<Record<string, string>> = {
  ConfigMap: "v1",
  Deployment: "apps/v1",
  Job: "batch/v1",
  NetworkPolicy: "networking.k8s.io/v1",
  Pod: "v1",
  PodDisruptionBudget: "policy/v1",
  Role: "rbac.authorization.k8s.io/v1",
  RoleBinding: "rbac.authorization.k8s.io/v1",
  Secret: "v1",
  Service: "v1",
  ServiceAccount: "v1",
  StatefulSet: "apps/v1",
};

const sharedFile = "definitions.json";
const prefix = "#/definitions/";
const quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";

interface Named {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** As `/openapi/v2` lists them. */
export type Definitions = Readonly<Record<string, object>>;

/** By file name, each as text. */
export function manifestSchemas(definitions: Definitions): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const shared = new Shared(definitions);
  for (const [name, definition] of Object.entries(definitions)) {
    const kind = kindOf(definition);
    if (kind === undefined) continue;
    shared.take(name);
    files.set(`${kind.toLowerCase()}.json`, write({ $ref: `${sharedFile}${prefix}${name}` }));
  }
  files.set(sharedFile, write({ definitions: shared.sorted() }));
  return files;
}

/** Undefined where the chart makes none of it. */
function kindOf(definition: object): string | undefined {
  const key = "x-kubernetes-group-version-kind";
  const names = (definition as { readonly [key]?: readonly Named[] })[key] ?? [];
  const found = names.find(({ group, version, kind }) => {
    return versions[kind] === (group === "" ? version : `${group}/${version}`);
  });
  return found?.kind;
}

/** What the kinds are made of, each once. */
class Shared {
  readonly #definitions: Definitions;
  readonly #taken = new Map<string, unknown>();

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  take(name: string): void {
    if (this.#taken.has(name)) return;
    this.#taken.set(name, {});
    const definition = this.#definitions[name] ?? {};
    // The server takes plain numbers too, which its own description leaves out.
    const isQuantity = name === quantity;
    this.#taken.set(name, isQuantity ? { type: ["string", "number"] } : this.#strict(definition));
  }

  sorted(): object {
    return Object.fromEntries([...this.#taken].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Without words, and closed to fields that are not named. */
  #strict(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((item) => this.#strict(item));
    if (typeof node !== "object" || node === null) return node;
    const kept = Object.entries(node).filter(([key]) => !isLeftOut(key));
    const strict: Record<string, unknown> = Object.fromEntries(
      kept.map(([key, value]) => [
        key,
        key === "properties" ? this.#fields(value as object) : this.#strict(value),
      ]),
    );
    if (strict["format"] === "int-or-string") return { type: ["string", "integer"] };
    const { $ref } = strict;
    if (typeof $ref === "string") this.take($ref.slice(prefix.length));
    if (strict["properties"] !== undefined) strict["additionalProperties"] ??= false;
    return strict;
  }

  #fields(properties: object): object {
    const fields = Object.entries(properties);
    return Object.fromEntries(fields.map(([name, schema]) => [name, this.#strict(schema)]));
  }
}

function isLeftOut(key: string): boolean {
  return key === "description" || key.startsWith("x-kubernetes");
}

function write(schema: object): string {
  return `${JSON.stringify(schema, null, 1)}\n`;
}

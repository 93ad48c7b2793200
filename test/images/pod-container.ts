/** What a pod of the chart says, as options of the engine that runs its container. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { podOf, type Rendered } from "../chart/render-chart.ts";

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly secretKeyRef?: { readonly key: string };
  };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly Variable[];
  readonly securityContext: {
    readonly readOnlyRootFilesystem?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[] };
  };
  readonly resources?: { readonly limits?: { readonly memory?: string } };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Volume {
  readonly name: string;
  readonly emptyDir?: object;
  readonly configMap?: { readonly name: string };
}

export interface Place {
  /** Of the pod; the engine's container has it too. */
  readonly name: string;
  /** On the loopback: every pod listens on ports of its own, and all share one network here. */
  readonly address: string;
  /** Of the gateways' Service. */
  readonly gateway: string;
  /** Where files of config maps may lie. */
  readonly folder: string;
  /** Of a container that runs: the pause of the pods that share their processes. */
  readonly pause: string;
  /** Keys of the object store, by their names in its secret. */
  readonly secret: Readonly<Record<string, string>>;
}

/** Options, image and arguments that make a container of the first pod of a component. */
export async function containerOf(
  objects: readonly Rendered[],
  component: string,
  place: Place,
): Promise<string[]> {
  const found = objects.find(
    ({ kind, metadata }) =>
      ["Deployment", "Job", "Pod"].includes(kind) &&
      metadata.labels?.["app.kubernetes.io/component"] === component,
  );
  const pod = found && podOf(found);
  if (pod === undefined) throw new Error(`the chart has no ${component}`);
  const [container] = pod.containers as unknown as readonly [Container];
  return [
    `--name=${place.name}`,
    `--add-host=farm-zfarm-gateway:${place.gateway}`,
    ...(pod.shareProcessNamespace === true ? [`--pid=container:${place.pause}`] : []),
    ...securityOf(pod.securityContext, container),
    ...environmentOf(container, place),
    ...(await mountsOf(container, pod.volumes as readonly Volume[], { objects, place })),
    container.image,
    ...container.args,
  ];
}

/** That it is as strict as the engine is told for every container, and who it runs as. */
function securityOf(pod: Readonly<Record<string, unknown>>, container: Container): string[] {
  const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } =
    container.securityContext;
  const isStrict =
    readOnlyRootFilesystem === true &&
    allowPrivilegeEscalation === false &&
    capabilities?.drop?.includes("ALL") === true;
  if (!isStrict) throw new Error(`${container.name} of the chart may more than these containers`);
  const memory = container.resources?.limits?.memory;
  const user = `--user=${String(pod["runAsUser"])}:${String(pod["runAsGroup"])}`;
  return memory === undefined
    ? [user]
    : [user, `--memory=${memory.replace("i", "").toLowerCase()}`];
}

function environmentOf({ env = [], args }: Container, place: Place): string[] {
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": place.name,
    "metadata.namespace": "zfarm",
    "spec.nodeName": "node",
  };
  const variables = env.map(({ name, value = "", valueFrom }) => {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    if (fieldRef !== undefined) return [name, fields[fieldRef.fieldPath]];
    return [name, secretKeyRef === undefined ? value : place.secret[secretKeyRef.key]];
  });
  // Not every address, as in a network of its own, but this one's.
  if (args[0]?.endsWith("main.ts")) variables.push(["OPS_HOST", place.address]);
  if (args[0]?.includes("gateway")) variables.push(["GATEWAY_HOST", place.address]);
  return variables.map(([name, value]) => {
    if (value === undefined) throw new Error(`nothing here says what ${name} is`);
    return `--env=${name}=${value}`;
  });
}

async function mountsOf(
  container: Container,
  volumes: readonly Volume[],
  { objects, place }: { readonly objects: readonly Rendered[]; readonly place: Place },
): Promise<string[]> {
  const options: string[] = [];
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = volumes.find((one) => one.name === name);
    if (volume?.emptyDir !== undefined) options.push(`--tmpfs=${mountPath}:mode=2777`);
    else if (volume?.configMap !== undefined) {
      const { data } = objects.find(
        ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === volume.configMap?.name,
      ) as Rendered;
      const folder = join(place.folder, place.name, name);
      await mkdir(folder, { recursive: true });
      for (const [file, text] of Object.entries(data ?? {})) {
        await writeFile(join(folder, file), text);
      }
      options.push(`--volume=${folder}:${mountPath}:ro`);
    } else throw new Error(`${name} is a volume that nothing here can make`);
  }
  return options;
}

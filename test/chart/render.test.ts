import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  chartFolder,
  helmAtHand,
  podOf,
  podsOf,
  type Rendered,
  renderChart,
  renderText,
  variants,
  withOperator,
} from "./render-chart.ts";

const golden = (variant: string) =>
  fileURLToPath(new URL(`golden/${variant}.yaml`, import.meta.url));

describe.skipIf(helmAtHand === undefined)("the chart", () => {
  it("has a golden file for each file of ci", async () => {
    const files = await readdir(`${chartFolder}/ci`);
    const found = files.map((file) => basename(file, "-values.yaml")).toSorted();
    expect(found).toEqual([...variants].toSorted());
  });

  // `vitest run --project unit test/chart -u` writes them anew.
  it.each(variants)("renders %s as its golden file says", async (variant) => {
    const text = await renderText(variant, ...withOperator);
    // Dashboards have files of their own that are compared with their sources.
    const short = text.replaceAll(
      /^( +\w+\.json): \|\n    \{\n      "timezone".*\n(?:    .*\n)+/gm,
      "$1: ...\n",
    );
    // Made anew by each rendering.
    const steady = short.replaceAll(/^( +secret-key): \w+=*$/gm, "$1: ...");
    await expect(steady).toMatchFileSnapshot(golden(variant));
  });

  it.each(variants)(
    "makes no pod of %s that Pod Security `restricted` refuses",
    async (variant) => {
      const pods = podsOf(await renderChart(variant));
      expect(pods.length).toBeGreaterThan(3);
      for (const { securityContext, containers, initContainers = [], volumes } of pods) {
        expect(securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
        });
        for (const container of [...initContainers, ...containers]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
        }
        for (const volume of volumes) expect(Object.keys(volume)).not.toContain("hostPath");
      }
    },
  );

  it("sets no number of workers where something scales them", async () => {
    for (const variant of ["minimal", "keda"]) {
      const workers = await workersOf(variant);
      expect(workers.map(({ spec }) => spec?.["replicas"])).toEqual([undefined]);
    }
    expect((await workersOf("fixed")).map(({ spec }) => spec?.["replicas"])).toEqual([2]);
  });

  it("leaves a pool that may have no worker to nobody: KEDA refuses such a bound", async () => {
    const options = ["keda", "--set", "pools.default.max=0"] as const;
    const [worker] = await workersOf(...options);
    expect(worker?.spec?.["replicas"]).toBe(0);
    expect((await renderChart(...options)).map(({ kind }) => kind)).not.toContain("ScaledObject");
  });

  it("gives a token to the scheduler alone, and only where it scales", async () => {
    const withToken = async (variant: string) =>
      (await renderChart(variant))
        .filter(
          (object) => podOf(object)?.automountServiceAccountToken ?? podOf(object) !== undefined,
        )
        .map(({ metadata }) => metadata.name);
    expect(await withToken("minimal")).toEqual(["farm-zfarm-scheduler"]);
    expect(await withToken("fixed")).toEqual([]);
    expect((await renderChart("fixed")).filter(({ kind }) => kind === "Role")).toEqual([]);
  });

  it("makes no service process 1: a signal that comes early would be lost to it", async () => {
    const pods = podsOf(await renderChart("full")).filter(
      ({ terminationGracePeriodSeconds }) => terminationGracePeriodSeconds !== undefined,
    );
    const names = new Set(pods.map(({ containers }) => containers[0]?.name));
    expect(names).toEqual(new Set(["gateway", "scheduler", "worker"]));
    for (const { shareProcessNamespace } of pods) expect(shareProcessNamespace).toBe(true);
  });

  it("asks for as many devices as a pool says, under the pool's name for them", async () => {
    const name = "pools.default.gpu.resourceName=nvidia.com/mig-3g.40gb";
    const [gpu, cpu] = await workersOf(
      "full",
      "--set",
      name.replaceAll("nvidia.com", "nvidia\\.com"),
    );
    expect(limitsOf(gpu)).toEqual({ memory: "32Gi", "nvidia.com/mig-3g.40gb": 1 });
    expect(limitsOf(cpu)).toEqual({ memory: "4Gi" });
  });

  it("has uploads in a folder of the gateway's own: a volume's root is open to all", async () => {
    const pods = podsOf(await renderChart("minimal"));
    const gateway = pods
      .flatMap(({ containers }) => containers)
      .find(({ name }) => name === "gateway");
    const { value = "" } = gateway?.env?.find(({ name }) => name === "GATEWAY_UPLOAD_DIR") ?? {};
    expect(value).toMatch(/^\/var\/lib\/zfarm\/uploads\/\w+$/);
  });

  it("makes objects of the Prometheus operator only where the cluster knows them", async () => {
    const kindsOf = async (...options: string[]) =>
      (await renderChart("full", ...options)).map(({ kind }) => kind);
    expect(await kindsOf(...withOperator)).toContain("PodMonitor");
    expect(await kindsOf()).not.toContain("PodMonitor");
  });

  it("lets an operator set a variable that it sets itself, and only once", async () => {
    const own = ["NATS_STREAMS=recreate", "WORKER_THREADS=8", "WORKER_LORA_RAM_BYTES=8589934592"];
    const sets = own.flatMap((setting) => ["--set", `poolDefaults.env.${setting}`]);
    const [worker] = await workersOf("full", ...sets);
    const { env = [] } = (worker && podOf(worker)?.containers[0]) ?? {};
    for (const setting of own) {
      const [name] = setting.split("=");
      const found = env.filter((variable) => variable.name === name);
      expect(found.map(({ value }) => `${name}=${value}`)).toEqual([setting]);
    }
  });

  it("brings an object store where no other is named, and keys where none are", async () => {
    const storeOf = async (...options: string[]) => {
      const objects = await renderChart("bundled", ...options);
      const isStore = ({ metadata }: Rendered) =>
        metadata.labels?.["app.kubernetes.io/component"] === "store";
      return objects.filter(isStore).map(({ kind }) => kind);
    };
    const [own, named] = ["objectStorage.existingSecret=mine", "objectStorage.endpoint=http://s3"];
    const unkeyed = ["NetworkPolicy", "Service", "StatefulSet"];

    expect((await storeOf()).toSorted()).toEqual([...unkeyed, "Secret"].toSorted());
    expect((await storeOf("--set", own)).toSorted()).toEqual(unkeyed);
    expect(await storeOf("--set", `${own},${named}`)).toEqual([]);
  });

  it("names the bootstrap job after what it depends on: a job cannot change", async () => {
    const nameOf = async (...options: string[]) =>
      (await renderChart("minimal", ...options)).find(({ kind }) => kind === "Job")?.metadata.name;
    expect(await nameOf()).toBe(await nameOf("--set", "gateway.replicas=5"));
    expect(await nameOf()).not.toBe(await nameOf("--set", "image.tag=9.9.9"));
  });
});

describe.skipIf(helmAtHand === undefined)("the chart refuses", () => {
  it.each([
    ["an unknown setting", "gateway.replica=3", "additional properties 'replica' not allowed"],
    ["slots beyond the farm's bound", "pools.default.slots=9", "maximum: got 9, want 8"],
    ["a farm with no broker", "nats.url=", "nats.url is empty"],
    ["a farm with no object store", "objectStorage.endpoint=", "objectStorage.endpoint is empty"],
    [
      "a store without keys",
      "objectStorage.existingSecret=",
      "objectStorage.existingSecret is empty",
    ],
    ["an autoscaler over shards", "shards=2", "shards is above 1"],
    ["workers with names that are too long", `fullnameOverride=${"f".repeat(40)}`, "at most 46"],
    ["a model of no bucket", "pools.default.model.kind=s3", "model.s3.prefix is empty"],
    ["a card of which nothing is known", "pools.default.device=cuda", "gpu.memoryBytes is 0"],
    ["a model volume of nothing", "pools.default.model.kind=pvc", "model.pvc.claimName is empty"],
    [
      "a certificate that KEDA could show nobody",
      "autoscaler.kind=keda,autoscaler.keda.tls.clientSecret=zfarm-keda",
      "autoscaler.keda.tls.existingSecret is empty",
    ],
  ])("%s", async (_, setting, message) => {
    await expect(renderText("minimal", "--set", setting)).rejects.toThrow(message);
  });
});

async function workersOf(variant: string, ...options: string[]): Promise<Rendered[]> {
  const objects = await renderChart(variant, ...options);
  return objects.filter(
    ({ kind, metadata }) => kind === "Deployment" && metadata.labels?.["zfarm.io/pool"],
  );
}

function limitsOf(worker: Rendered | undefined): unknown {
  return worker && podOf(worker)?.containers[0]?.resources.limits;
}

import { defaultPool, limits, type WorkerId } from "@zfarm/contract";
import { Registry, silentLog, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { FakeKubernetes } from "../../../testing/fake-kubernetes.ts";
import type { PoolScaling } from "../actuator.ts";
import { costKey, markKey } from "./deletion-mark.ts";
import { KubernetesActuator } from "./kubernetes-actuator.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { KubernetesClient } from "./kubernetes-client.ts";
import type { KubernetesRequest } from "./kubernetes-transport.ts";
import { createKubernetesMetrics } from "./metrics.ts";

const never = new AbortController().signal;
const down: PoolScaling = { pool: defaultPool, desired: 1, target: 2, victims: [], reason: "idle" };

describe("hands on Kubernetes in trouble", () => {
  let fake: FakeKubernetes;
  let hands: KubernetesActuator;

  beforeEach(() => {
    fake = new FakeKubernetes();
    fake.deploy("w", 2);
    const clock = systemClock;
    const client = new KubernetesClient({ transport: fake, clock, random: () => 0 });
    hands = new KubernetesActuator({
      api: new KubernetesApi(client, "farm"),
      clock,
      log: silentLog,
      targets: new Map([[defaultPool, "w"]]),
      metrics: createKubernetesMetrics(new Registry()),
    });
  });

  const choose = async (): Promise<WorkerId> => {
    const [fleet] = await hands.observe(never);
    return fleet?.members[0]?.worker ?? ("" as WorkerId);
  };
  const isScaling = ({ method }: KubernetesRequest): boolean => method === "PUT";
  const marks = (): string[] =>
    fake
      .pods("w")
      .filter(({ metadata }) => markKey in metadata.annotations || costKey in metadata.annotations)
      .map(({ metadata }) => metadata.name);

  test("know that the number was changed although the answer got lost", async () => {
    const victim = await choose();
    fake.fault = (request, work) => {
      if (!isScaling(request)) return undefined;
      work();
      throw new TypeError("connection reset");
    };

    expect(await hands.apply({ ...down, victims: [victim] }, never)).toBe("applied");
    expect(fake.pods("w").map(({ metadata }) => metadata.name)).not.toContain(victim);
    expect(fake.requests.filter(isScaling)).toHaveLength(1);
  });

  test("give the marks time to be seen before the number falls", async () => {
    const victim = await choose();
    const atMs: Record<string, number> = {};
    fake.fault = ({ method }) => {
      atMs[method] = performance.now();
      return undefined;
    };

    expect(await hands.apply({ ...down, victims: [victim] }, never)).toBe("applied");
    const { PATCH = Number.NaN, PUT = Number.NaN } = atMs;
    // Timers may be a millisecond early.
    expect(PUT - PATCH).toBeGreaterThanOrEqual(limits.kubernetesMarksSeenMs - 2);
  });

  test("fail with a code where the number cannot be changed, and clear marks later", async () => {
    const victim = await choose();
    fake.fault = (request) => (isScaling(request) ? { status: 500, body: {} } : undefined);

    const applying = hands.apply({ ...down, victims: [victim] }, never);

    await expect(applying).rejects.toMatchObject({ code: "CLUSTER_UNAVAILABLE" });
    expect(fake.pods("w")).toHaveLength(2);
    expect(marks()).toEqual([victim]);
    await hands.observe(never);
    expect(marks()).toEqual([]);
  });

  test("clear the marks at once where somebody changed the number in the last moment", async () => {
    const victim = await choose();
    fake.fault = (request) => {
      if (isScaling(request)) fake.scale("w", 3);
      return undefined;
    };

    expect(await hands.apply({ ...down, victims: [victim] }, never)).toBe("conflict");
    expect(fake.pods("w")).toHaveLength(3);
    expect(marks()).toEqual([]);
  });

  test("are not hindered by changes of anything but the number", async () => {
    const victim = await choose();
    let changes = 0;
    fake.fault = (request) => {
      // As when a pod comes up: another version of the same number.
      if (isScaling(request) && changes++ === 0) fake.scale("w", 2);
      return undefined;
    };

    expect(await hands.apply({ ...down, victims: [victim] }, never)).toBe("applied");

    expect(fake.pods("w").map(({ metadata }) => metadata.name)).not.toContain(victim);
    expect(fake.requests.filter(isScaling)).toHaveLength(2);
  });

  test("give up for this time where the Deployment never stands still", async () => {
    fake.fault = (request) => {
      if (isScaling(request)) fake.scale("w", 2);
      return undefined;
    };

    expect(await hands.apply({ ...down, desired: 3 }, never)).toBe("conflict");
    expect(fake.requests.filter(isScaling)).toHaveLength(limits.kubernetesTriesMax);
  });

  test("put a mark on before the number goes down", async () => {
    const victim = await choose();

    await hands.apply({ ...down, victims: [victim] }, never);

    const changes = fake.requests.filter(({ method }) => method === "PATCH" || method === "PUT");
    expect(changes.map(({ method }) => method)).toEqual(["PATCH", "PUT"]);
    expect(changes.map(({ query }) => query?.["fieldManager"])).toEqual([
      "zfarm-autoscaler",
      "zfarm-autoscaler",
    ]);
  });

  test("tell no more than a few events in a minute, and scale without them", async () => {
    const scalings = limits.kubernetesEventsPerMinute + 10;
    for (let target = 2; target < 2 + scalings; target += 1) {
      const scaling = { pool: defaultPool, desired: target + 1, target, victims: [], reason: "up" };
      expect(await hands.apply(scaling, never)).toBe("applied");
    }

    expect(fake.events).toHaveLength(limits.kubernetesEventsPerMinute);
  });

  test("scale although nobody takes the event", async () => {
    fake.fault = ({ path }) => (path.endsWith("/events") ? { status: 403, body: {} } : undefined);

    expect(await hands.apply({ ...down, desired: 3 }, never)).toBe("applied");
  });

  test("see nothing of any pool where the cluster does not answer", async () => {
    fake.fault = () => {
      throw new TypeError("fetch failed");
    };

    await expect(hands.observe(never)).rejects.toMatchObject({ code: "CLUSTER_UNAVAILABLE" });
  });

  test("keep the first time at which a worker was ready", async () => {
    const [before] = await hands.observe(never);
    for (const { status } of fake.pods("w")) {
      const lastTransitionTime = new Date(systemClock.now() + 3_600_000).toISOString();
      status.conditions = [{ type: "Ready", status: "True", lastTransitionTime }];
    }

    const [after] = await hands.observe(never);

    const readyAt = (fleet: typeof before) => fleet?.members.map((member) => member.readyAt);
    expect(readyAt(after)).toEqual(readyAt(before));
  });

  test("take a ScaledObject for another scaler", async () => {
    const spec = { scaleTargetRef: { name: "w" } };
    fake.scalers.scaledobjects.set("so", { metadata: { name: "so" }, spec });

    await expect(hands.refuseOthers(never)).rejects.toThrow(
      "ScaledObject farm/so scales Deployment w too; delete it, or set AUTOSCALER to none or keda",
    );
  });
});

/**
 * The scaler, KEDA and its HPA without a farm around them: as many pods as the leader asks for, and
 * not about as many.
 */
import type { PoolId, SchedulerReply } from "@zfarm/contract";
import { silentLog, systemClock } from "@zfarm/runtime";
import { findToolForTests, hasControlPlaneForTests, type KubeObject } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type KedaServer,
  openKedaServer,
} from "../../../services/scheduler/src/autoscale/keda/open-keda.ts";
import { helm } from "../../../tools/servers/helm.mjs";
import { waitUntil } from "../../chaos/farm/wait-until.ts";
import { renderWith } from "../chart-on-cluster.ts";
import { type Cluster, openCluster } from "../cluster.ts";
import { workerDeployment } from "../worker-deployment.ts";
import { hasKedaForTests, installKeda, startKeda } from "./keda.ts";

const namespace = "exact";
const pool = "default" as PoolId;
const workersMax = 40;
const askWithinMs = 60_000;
/** More than what a ScaledObject of the chart waits for before KEDA falls back. */
const questionsInVain = 8;
const helmAtHand = await findToolForTests(helm, "helm.mjs");
const canRun = (await hasControlPlaneForTests()) && (await hasKedaForTests()) && !!helmAtHand;

interface ScaledObject extends KubeObject {
  readonly spec: { readonly triggers: readonly [{ readonly metadata: object }] };
}

/** The chart's, for a Deployment of this test and a scaler at this address. */
async function scaledObjectFor(name: string, scalerAddress: string): Promise<KubeObject> {
  const objects = await renderWith(helmAtHand?.path ?? "", "keda-values.yaml");
  const isIt = (object: unknown): object is ScaledObject =>
    (object as KubeObject | null)?.kind === "ScaledObject";
  const object = objects.find(isIt);
  if (object === undefined) throw new Error("the chart has a ScaledObject");
  const [trigger] = object.spec.triggers;
  const triggers = [{ ...trigger, metadata: { ...trigger.metadata, scalerAddress } }];
  const scaleTargetRef = { name };
  const own = { scaleTargetRef, triggers, maxReplicaCount: workersMax, pollingInterval: 1 };
  return { ...object, metadata: { name, namespace }, spec: { ...object.spec, ...own } };
}

describe.runIf(canRun)("the number that the leader asks for", () => {
  let cluster: Cluster;
  let server: KedaServer;
  /** Undefined while nobody leads. */
  let asked: number | undefined = 0;
  let questions = 0;

  const answer = async (): Promise<SchedulerReply> => {
    questions += 1;
    const decision = { pool, desired: 0, target: 0, reason: "backlog", bounds: [] };
    const told = { decideTime: undefined, inputs: undefined, retiring: 0, result: "applied" };
    const pools = [{ ...decision, ...told, askedFor: asked }];
    return { epoch: 1n, reply: { $case: "scaling", value: { actuator: "keda", pools } } };
  };

  beforeAll(async () => {
    cluster = await openCluster();
    await cluster.addNodes("node", workersMax / 8);
    await installKeda(cluster);
    await startKeda(cluster);
    server = await openKedaServer({
      config: { host: "127.0.0.1", port: 0 },
      pools: new Set([pool]),
      queries: { ask: answer },
      clock: systemClock,
      log: silentLog,
    });
    await cluster.namespace(namespace);
    await cluster.client.apply(workerDeployment({ namespace, name: "w", replicas: 0 }));
    await cluster.client.apply(await scaledObjectFor("w", `127.0.0.1:${server.port}`));
  });

  afterAll(async () => {
    await server?.stop();
    await cluster?.stop();
  });

  // One less of ten or more is less than what an HPA ignores unless it is told to.
  test.each([10, 9, 40, 39, 0])("is the number of pods: %d", async (count) => {
    asked = count;

    expect((await cluster.settled(namespace, count)).length).toBe(count);
  });

  test.each([0, 9])("stays the number of pods while nobody leads: %d", async (count) => {
    asked = count;
    await cluster.settled(namespace, count);

    asked = undefined;
    const before = questions;
    await waitUntil("KEDA asks in vain", askWithinMs, () => questions >= before + questionsInVain);

    expect((await cluster.pods(namespace)).length).toBe(count);
  });
});

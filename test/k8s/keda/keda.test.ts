/**
 * The farm scaled by KEDA's own operator, its metrics adapter and the HPA that it makes, from the
 * chart as it is; the scheduler and KEDA show each other certificates.
 */
import type { FarmClient } from "@zfarm/client";
import { limits } from "@zfarm/contract";
import {
  findServerForTests,
  findToolForTests,
  hasControlPlaneForTests,
  hasMinioForTests,
} from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { helm } from "../../../tools/servers/helm.mjs";
import { waitUntil } from "../../chaos/farm/wait-until.ts";
import { runHelm } from "../chart-on-cluster.ts";
import { isReady, namesOf } from "../cluster.ts";
import { namespace, type Release } from "../release.ts";
import { rightsOf, usedRights } from "../rights.ts";
import { hasKedaForTests } from "./keda.ts";
import { type KedaRelease, openKedaRelease } from "./keda-release.ts";

const workersMax = 4;
const scaleWithinMs = 60_000;
/** Of pods that are to go first. */
const markKey = "zfarm.io/scale-in";
/** More than what a ScaledObject of the chart waits for before KEDA falls back. */
const questionsInVain = 6;
const canRun =
  (await hasControlPlaneForTests()) &&
  (await hasKedaForTests()) &&
  (await findServerForTests()) !== undefined &&
  (await hasMinioForTests()) &&
  (await findToolForTests(helm, "helm.mjs")) !== undefined;

describe.runIf(canRun)("a release that KEDA scales", () => {
  let scaled: KedaRelease;
  let release: Release;
  let client: FarmClient;

  beforeAll(async () => {
    const startWithinSeconds = { interactive: 1, standard: 1, batch: 1 };
    const pool = { min: 0, max: workersMax, idleSecondsToZero: 2, startWithinSeconds };
    scaled = await openKedaRelease(pool);
    release = scaled.release;
    client = await release.connect();
  });

  afterAll(async () => {
    client?.close();
    await scaled?.stop();
  });

  const workersAre = (what: string, holds: (ready: number, all: number) => boolean) =>
    waitUntil(what, scaleWithinMs, async () => {
      const pods = await release.workers();
      return holds(pods.filter(isReady).length, pods.length);
    });
  const areNone = () => workersAre("no worker is left", (_, all) => all === 0);
  const areMany = () => workersAre("all workers are ready", (ready) => ready === workersMax);

  test("is taken as it is, and an HPA made of it", async () => {
    await waitUntil("KEDA takes it", scaleWithinMs, () => scaled.scaledObject.isIt("Ready"));

    const { spec } = await scaled.scaledObject.autoscaler();

    expect(spec).toMatchObject({ minReplicas: 1, maxReplicas: workersMax });
    const matchLabels = { "scaledobject.keda.sh/name": scaled.scaledObject.name };
    expect(spec.metrics.map(({ external }) => external)).toEqual([
      {
        metric: { name: "s0-zfarm-workers", selector: { matchLabels } },
        target: { type: "AverageValue", averageValue: "1" },
      },
    ]);
    expect(spec.behavior.scaleUp).toMatchObject({ tolerance: "0" });
    expect(spec.behavior.scaleDown).toMatchObject({ tolerance: "0" });
  });

  test("grows from nothing with its load, and back; only idle workers are taken", async () => {
    await areNone();
    const before = release.processes.goodbyes.length;

    const load = release.startLoad(client, 24);
    await areMany();
    expect(await scaled.scaledObject.isMeasured()).toBe(true);
    await load.end();
    await areNone();

    expect(await release.violations()).toEqual([]);
    expect(await release.repeated()).toBe(0);
    const goodbyes = release.processes.goodbyes.slice(before);
    expect(goodbyes.length).toBeGreaterThanOrEqual(workersMax);
    expect(goodbyes.filter(({ inHand }) => inHand > 0)).toEqual([]);
    expect(goodbyes.filter(({ how }) => how !== "exit code 0")).toEqual([]);
  });

  test("goes on scaling when its leader is killed in the middle of it", async () => {
    await areNone();
    const leader = await release.leader();

    const load = release.startLoad(client, 24);
    await workersAre("the first workers are asked for", (_, all) => all > 0);
    await leader.kill();
    await areMany();
    await load.end();
    await areNone();

    expect(await release.violations()).toEqual([]);
  });

  /** Ends all schedulers for as long as KEDA asks several times. */
  const whileNobodyAnswers = async (look: () => Promise<void>) => {
    const refused = async () => (await scaled.keda.log()).split('"got empty metric spec"').length;
    const schedulers = await scaled.schedulers();
    await Promise.all(schedulers.map((one) => one.kill({ hold: true })));
    const before = await refused();
    await waitUntil("KEDA asks in vain", scaleWithinMs, async () => {
      return (await refused()) >= before + questionsInVain;
    });
    await look();
    for (const one of schedulers) one.start();
  };

  test("keeps what it has, workers or none, while no scheduler says how many", async () => {
    await areNone();
    await whileNobodyAnswers(async () => expect(await release.workers()).toEqual([]));

    const load = release.startLoad(client, 24);
    await areMany();
    await whileNobodyAnswers(async () => {
      expect((await release.workers()).length).toBe(workersMax);
      expect(await scaled.scaledObject.isIt("Fallback")).toBe(false);
    });
    await load.end();
    await areNone();

    expect(await release.violations()).toEqual([]);
  });

  test("has workers that it gave up work on, while KEDA has not taken them yet", async () => {
    const { events } = release.farm.history;
    await areNone();
    const load = release.startLoad(client, 24);
    await areMany();
    await scaled.scaledObject.pause(true);
    await load.end();
    const givenUp = await waitUntil("some are given up", scaleWithinMs, async () => {
      const workers = await release.workers();
      const marked = workers.filter(({ metadata }) => markKey in (metadata.annotations ?? {}));
      return marked.length > 0 && namesOf(marked);
    });
    const before = events.length;

    const again = release.startLoad(client, 24);
    // Sooner than those are put to work again whom Kubernetes took others for.
    await waitUntil("all of them draw", limits.autoscaleLeaveMs / 2, () => {
      const hasBegun = (pod: string) =>
        events.slice(before).some((event) => event.kind === "begin" && event.worker === pod);
      return givenUp.every(hasBegun);
    });
    await again.end();

    await scaled.scaledObject.pause(false);
    await areNone();
    expect(await release.violations()).toEqual([]);
  });

  test("starts its first worker at once: KEDA is told, and need not ask", async () => {
    const begun = async () => (await scaled.keda.log()).split("Initializing Scaling logic").length;
    await areNone();
    const before = await begun();
    await scaled.scaledObject.askEvery(300);
    await waitUntil("KEDA asks no more", scaleWithinMs, async () => (await begun()) > before);

    const load = release.startLoad(client, 24);
    await areMany();

    await load.end();
    await scaled.scaledObject.askEvery(1);
    await areNone();
    expect(await release.violations()).toEqual([]);
  });

  test("has exactly the rights that it uses, and KEDA those that it needs", async () => {
    const account = { namespace, name: "farm-zfarm-scheduler" };
    const user = `system:serviceaccount:${account.namespace}:${account.name}`;
    const audited = await release.cluster.plane.audit();

    const rights = await rightsOf(release.cluster.client, account);

    expect(usedRights(audited, user)).toEqual(rights);
    expect(audited.filter(({ status }) => status === 403)).toEqual([]);
  });

  test("goes with its HPA when it is uninstalled", async () => {
    await runHelm(release.cluster, ["uninstall", "farm", "--namespace", namespace]);

    await waitUntil("the ScaledObject is gone", scaleWithinMs, () => scaled.scaledObject.isGone());
  });
});

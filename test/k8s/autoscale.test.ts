/** The farm scales itself on a real control plane, with the rights of its own account. */
import type { FarmClient } from "@zfarm/client";
import {
  findServerForTests,
  findToolForTests,
  hasControlPlaneForTests,
  hasMinioForTests,
} from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { helm } from "../../tools/servers/helm.mjs";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { isReady } from "./cluster.ts";
import { namespace, openRelease, type Release } from "./release.ts";
import { rightsOf, usedRights } from "./rights.ts";

const workersMax = 4;
const scaleWithinMs = 60_000;
const account = { namespace, name: "farm-zfarm-scheduler" };
const user = `system:serviceaccount:${account.namespace}:${account.name}`;
const canRun =
  (await hasControlPlaneForTests()) &&
  (await findServerForTests()) !== undefined &&
  (await hasMinioForTests()) &&
  (await findToolForTests(helm, "helm.mjs")) !== undefined;

describe.runIf(canRun)("an autoscaled release", () => {
  let release: Release;
  let client: FarmClient;

  beforeAll(async () => {
    const startWithinSeconds = { interactive: 1, standard: 1, batch: 1 };
    const pool = { min: 0, max: workersMax, idleSecondsToZero: 2, startWithinSeconds };
    release = await openRelease({ autoscaler: { tickSeconds: 1 }, pools: { default: pool } });
    client = await release.connect();
  });

  afterAll(async () => {
    client?.close();
    await release?.stop();
  });

  const workersAre = (what: string, holds: (ready: number, all: number) => boolean) =>
    waitUntil(what, scaleWithinMs, async () => {
      const pods = await release.workers();
      return holds(pods.filter(isReady).length, pods.length);
    });
  const areNone = () => workersAre("no worker is left", (_, all) => all === 0);
  const areMany = () => workersAre("all workers are ready", (ready) => ready === workersMax);

  test("grows from nothing with its load, and back; only idle workers are taken", async () => {
    await areNone();
    const before = release.processes.goodbyes.length;

    const load = release.startLoad(client, 24);
    await areMany();
    await load.end();
    await areNone();

    expect(await release.violations()).toEqual([]);
    expect(await release.repeated()).toBe(0);
    const goodbyes = release.processes.goodbyes.slice(before);
    expect(goodbyes.length).toBeGreaterThanOrEqual(workersMax);
    expect(goodbyes.filter(({ inHand }) => inHand > 0)).toEqual([]);
    expect(goodbyes.filter(({ how }) => how !== "exit code 0")).toEqual([]);
  });

  test("tells where the time of a start went", async () => {
    const { opsAddress } = await release.leader();
    const text = await (await fetch(`http://${opsAddress}/metrics`)).text();
    const shown = text.matchAll(/^zfarm_autoscale_start_phase_seconds\{.*phase="(\w+)"\} \d/gm);

    expect([...shown].map(([, phase]) => phase)).toEqual(["node", "image", "weights", "worker"]);
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

  test("has exactly the rights that it uses", async () => {
    const audited = await release.cluster.plane.audit();
    const rights = await rightsOf(release.cluster.client, account);

    expect(usedRights(audited, user)).toEqual(rights);
    expect(audited.filter(({ status }) => status === 403)).toEqual([]);
  });

  test.each([
    ["GET", `/api/v1/namespaces/${namespace}/secrets`],
    ["GET", "/api/v1/nodes"],
    ["GET", "/api/v1/namespaces/default/pods"],
    ["DELETE", `/api/v1/namespaces/${namespace}/pods/any`],
    ["PATCH", `/apis/apps/v1/namespaces/${namespace}/deployments/farm-zfarm-worker-default`],
  ] as const)("is refused everything else: %s %s", async (method, path) => {
    const scheduler = release.cluster.client.as({ user });

    const { status } = await scheduler.ask({ method, path, body: {} });

    expect(status).toBe(403);
  });
});

/**
 * The chart's whole release as real processes: what each pod says is what its process is told, and
 * pictures come out. Only the engine is a stub.
 */
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
import { openRelease, type Release } from "./release.ts";

const canRun =
  (await hasControlPlaneForTests()) &&
  (await findServerForTests()) !== undefined &&
  (await hasMinioForTests()) &&
  (await findToolForTests(helm, "helm.mjs")) !== undefined;

describe.runIf(canRun)("a release of the chart", () => {
  let release: Release;
  let client: FarmClient;

  beforeAll(async () => {
    release = await openRelease({
      autoscaler: { kind: "none" },
      pools: { default: { replicas: 2 } },
    });
    client = await release.connect();
  });

  afterAll(async () => {
    client?.close();
    await release?.stop();
  });

  test("renders pictures with the settings that its pods have", async () => {
    const { tasks } = await release.startLoad(client, 1).end();

    expect(tasks).toBeGreaterThan(0);
    expect(await release.violations()).toEqual([]);
  });

  test("has every pod replaced by an upgrade, and no picture is lost or begun twice", async () => {
    const before = await release.pods();
    const load = release.startLoad(client);
    await waitUntil("a worker draws", 30_000, () => release.isDrawing());

    await release.helm("upgrade", { image: { tag: "next" } });
    await waitUntil("every pod is new and ready", 90_000, async () => {
      const pods = await release.pods();
      const isNew = !pods.some((pod) => before.includes(pod));
      return isNew && pods.length === before.length && (await release.areReady());
    });
    await load.end();

    expect(await release.violations()).toEqual([]);
    const goodbyes = release.processes.goodbyes.filter(({ pod }) => before.includes(pod));
    expect(goodbyes.map(({ how }) => how)).toEqual(before.map(() => "exit code 0"));
    expect(goodbyes.some(({ inHand }) => inHand > 0)).toBe(true);
    expect(await release.repeated()).toBe(0);
  });
});

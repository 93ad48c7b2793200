import { defaultPool, type WorkerId } from "@zfarm/contract";
import { silentLog, systemClock } from "@zfarm/runtime";
import { beforeEach, describe, expect, test } from "vitest";
import { FakeKubernetes } from "../../../testing/fake-kubernetes.ts";
import { markKey } from "../kubernetes/deletion-mark.ts";
import { KubernetesApi } from "../kubernetes/kubernetes-api.ts";
import { KubernetesClient } from "../kubernetes/kubernetes-client.ts";
import { KedaActuator } from "./keda-actuator.ts";

const never = new AbortController().signal;

describe("the hands that KEDA has", () => {
  let fake: FakeKubernetes;
  let hands: KedaActuator;

  beforeEach(() => {
    fake = new FakeKubernetes();
    fake.deploy("w", 3);
    const client = new KubernetesClient({ transport: fake, clock: systemClock });
    const api = new KubernetesApi(client, "farm");
    const targets = new Map([[defaultPool, "w"]]);
    hands = new KedaActuator({ api, clock: systemClock, log: silentLog, targets });
  });

  const look = async () => (await hands.observe(never))[0];
  const apply = (desired: number, victims: readonly WorkerId[] = []) =>
    hands.apply({ pool: defaultPool, desired, target: 3, victims, reason: "idle" }, never);
  const marked = (): string[] =>
    fake
      .pods("w")
      .filter(({ metadata }) => markKey in metadata.annotations)
      .map(({ metadata }) => metadata.name);

  test("mark who goes first and leave the number to KEDA, which takes those", async () => {
    const victim = (await look())?.members[0]?.worker as WorkerId;

    expect(await apply(2, [victim])).toBe("applied");
    await look();

    expect(marked()).toEqual([victim]);
    expect((await look())?.target).toBe(3);
    fake.scale("w", 2);
    expect((await look())?.members.map(({ worker }) => worker)).not.toContain(victim);
  });

  test("take the mark back when the worker is wanted after all", async () => {
    const victim = (await look())?.members[0]?.worker as WorkerId;
    await apply(2, [victim]);

    await apply(3);
    await look();

    expect(marked()).toEqual([]);
  });

  test("take one mark back when that worker is wanted after all, and no other's", async () => {
    const members = (await look())?.members ?? [];
    const [first, second] = members.map(({ worker }) => worker) as [WorkerId, WorkerId];
    await apply(1, [first, second]);
    await look();

    const scaling = { pool: defaultPool, desired: 2, target: 3, victims: [], reason: "backlog" };
    await hands.apply({ ...scaling, spared: [second] }, never);

    expect(marked()).toEqual([first]);
  });

  test("do nothing where nothing has changed", async () => {
    expect([await apply(4), await apply(4)]).toEqual(["applied", "unchanged"]);
    expect(fake.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  test("go on where pods must not be marked", async () => {
    const victim = (await look())?.members[0]?.worker as WorkerId;
    fake.fault = ({ method }) => (method === "PATCH" ? { status: 403, body: {} } : undefined);

    expect(await apply(2, [victim])).toBe("applied");
  });

  test("count on nobody who is gone already", async () => {
    await look();

    expect(await apply(2, ["w-99" as WorkerId])).toBe("conflict");
  });
});

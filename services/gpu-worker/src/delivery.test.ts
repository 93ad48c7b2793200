import { createMemoryBlobStore } from "@zfarm/blobs";
import { createMemoryBroker } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import { createLease } from "../testing/scripted-leader.ts";
import { type Delivery, type DeliveryNeeds, deliver } from "./delivery.ts";
import { HeldTask } from "./domain/held-tasks.ts";

const timings = { textEncodeMs: 1, denoiseMs: 1, vaeDecodeMs: 1, encodeFileMs: 1, deviceMs: 1 };
const picture = { png: new Uint8Array([1, 2, 3]), timings };

/** Delivers to a store whose first `failures` uploads fail; time passes as fast as it is waited. */
async function deliverOver(failures: number, prepare: (held: HeldTask) => void = () => {}) {
  const clock = createManualClock();
  const store = createMemoryBlobStore();
  let uploads = 0;
  const put: DeliveryNeeds["blobs"]["put"] = async (key, bytes, type) => {
    uploads += 1;
    if (uploads <= failures) throw new FarmError("STORE_UNAVAILABLE", "no answer");
    await store.put(key, bytes, type);
  };
  const blobs = { put, remove: (key: string) => store.remove(key) };
  const { outcomes } = createMemoryBroker();
  const lease = createLease(0);
  const { spec } = lease;
  expect(spec?.image).toBeDefined();
  if (spec?.image === undefined) throw new FarmError("INTERNAL", "the builder sets a spec");
  const held = new HeldTask({ ...lease, spec }, spec.image, clock.now());
  prepare(held);
  const needs = { outcomes, blobs, clock, worker: "w", modelDigest: "d" };
  let delivery: Delivery | undefined;
  void deliver(needs, held, picture).then((done) => (delivery = done));
  while (delivery === undefined) await clock.advance(10_000);
  return { delivery, uploads, stored: await outcomes.find(held.id) };
}

test("a store that comes back gets the picture", async () => {
  const { delivery, uploads, stored } = await deliverOver(3);

  expect(delivery.kind).toBe("won");
  expect(uploads).toBe(4);
  expect(stored?.outcome.fence).toBe(100n);
});

test("a store that stays away is given up after a bounded number of tries", async () => {
  const { delivery, uploads, stored } = await deliverOver(Number.POSITIVE_INFINITY);

  expect(delivery).toMatchObject({ kind: "upload-failed", error: { code: "STORE_UNAVAILABLE" } });
  expect(uploads).toBe(limits.deliveryAttemptsMax);
  expect(stored).toBeUndefined();
});

test("a task that was abandoned is not tried again", async () => {
  const { uploads } = await deliverOver(5, (held) => held.abandoned.abort());

  expect(uploads).toBe(1);
});

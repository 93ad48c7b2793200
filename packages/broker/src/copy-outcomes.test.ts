import { createMemoryBlobStore } from "@zfarm/blobs";
import { FarmError, OutcomeKind, outcomeCopyKey } from "@zfarm/contract";
import { codeOf, someJob, someOutcome, someTaskId } from "@zfarm/testing";
import { beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "./broker.ts";
import { copyOutcomes, readOutcomeCopy } from "./copy-outcomes.ts";
import { createMemoryBroker } from "./memory/memory-broker.ts";

const id = someTaskId(0);
const success = someOutcome({ kind: OutcomeKind.SUCCEEDED, fence: 3n, worker: "w1" });

describe("copied outcomes", () => {
  let broker: Broker;
  const blobs = createMemoryBlobStore();
  const copyAt = async (fence: bigint) => {
    const bytes = await blobs.get(outcomeCopyKey(id, fence));
    return bytes === undefined ? undefined : readOutcomeCopy(bytes);
  };
  beforeEach(async () => {
    broker = createMemoryBroker();
    for await (const { key } of blobs.list("")) await blobs.remove(key);
  });

  test("lie in the store before anybody can be told of them", async () => {
    const order: string[] = [];
    const plain = broker.outcomes;
    const log = copyOutcomes(
      {
        ...copyOutcomes(plain, blobs),
        publish: async (outcome) => {
          order.push((await copyAt(3n)) === undefined ? "published without a copy" : "published");
          return await plain.publish(outcome);
        },
      },
      blobs,
    );

    expect(await log.publish(success)).toBe("won");

    expect(order).toEqual(["published"]);
    expect(await copyAt(3n)).toEqual(success);
  });

  test("are not published while the store is away", async () => {
    const put = async (): Promise<void> => {
      throw new FarmError("STORE_UNAVAILABLE", "away");
    };
    const log = copyOutcomes(broker.outcomes, { put, remove: put });

    expect(await codeOf(log.publish(success))).toBe("STORE_UNAVAILABLE");
    expect(await broker.outcomes.list(someJob())).toEqual([]);
  });

  test("of attempts that lost are gone, and the winner's stays", async () => {
    const log = copyOutcomes(broker.outcomes, blobs);
    await log.publish(success);

    expect(await log.publish({ ...success, fence: 4n })).toBe("lost");

    expect([await copyAt(3n), await copyAt(4n)]).toEqual([success, undefined]);
  });

  test("of a loser with the winner's fence give way to the winner's", async () => {
    const log = copyOutcomes(broker.outcomes, blobs);
    const canceled = someOutcome({ kind: OutcomeKind.CANCELED });
    await log.publish(canceled);

    expect(await log.publish(someOutcome({ kind: OutcomeKind.EXPIRED }))).toBe("lost");

    expect(await copyAt(0n)).toEqual(canceled);
  });

  test("that lost are lost even where the copy cannot be removed", async () => {
    const remove = async (): Promise<void> => {
      throw new FarmError("STORE_UNAVAILABLE", "away");
    };
    const log = copyOutcomes(broker.outcomes, { put: blobs.put.bind(blobs), remove });
    await log.publish(success);

    expect(await log.publish({ ...success, fence: 4n })).toBe("lost");
  });

  test("that cannot be read are none", () => {
    expect(readOutcomeCopy(new Uint8Array([255, 255]))).toBeUndefined();
    expect(readOutcomeCopy(new Uint8Array())).toBeUndefined();
  });
});

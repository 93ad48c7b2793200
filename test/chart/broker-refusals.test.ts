/** What each service may not do on the broker that the chart brings. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, nkeyAuthenticator, PermissionViolationError } from "@nats-io/transport-node";
import { findServerForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerOfChart, startBrokerOfChart } from "./broker-of-chart.ts";
import { helmAtHand } from "./render-chart.ts";

type Attempt = `${"publish" | "subscribe"} ${string}`;

const forbidden: Readonly<Record<string, readonly Attempt[]>> = {
  gateway: [
    "publish $KV.leader.scheduler",
    "publish $KV.pools.default",
    "publish work.0.default",
    "publish control.worker-1",
    "publish beat.worker-1",
    "publish $JS.API.STREAM.DELETE.QUEUE",
    "publish $JS.API.STREAM.CREATE.OTHER",
    "publish $JS.API.STREAM.MSG.DELETE.OUTCOMES",
    "publish $JS.API.STREAM.MSG.DELETE.KV_loras",
    "subscribe _INBOX_worker.>",
    "subscribe scheduler.query.0",
    "subscribe >",
  ],
  scheduler: [
    "publish policy.worker.worker-1",
    "publish $KV.pools.default",
    "publish work.0.default",
    "publish beat.worker-1",
    "publish $JS.API.STREAM.DELETE.QUEUE",
    "publish $JS.API.STREAM.UPDATE.QUEUE",
    "publish $JS.API.STREAM.MSG.DELETE.OUTCOMES",
    "publish $JS.API.STREAM.PURGE.OUTCOMES",
    "subscribe _INBOX_gateway.>",
    "subscribe control.worker-1",
    "subscribe >",
  ],
  "worker-default": [
    "publish queue.0.default.studio.job.0",
    "publish control.worker-1",
    "publish control.studio.job",
    "publish policy.pool.default",
    "publish $KV.leader.scheduler",
    "publish $KV.jobs.studio.job",
    "publish $KV.loras.studio.red",
    "publish $KV.pools.sketch",
    "publish work.0.sketch",
    "publish scheduler.query.0",
    "publish $JS.API.STREAM.DELETE.OUTCOMES",
    "publish $JS.API.STREAM.MSG.DELETE.QUEUE",
    "publish $JS.API.STREAM.MSG.GET.KV_jobs",
    "publish $JS.API.CONSUMER.CREATE.QUEUE",
    "subscribe work.0.default",
    "subscribe _INBOX_worker.sketch.>",
    "subscribe _INBOX_gateway.>",
    "subscribe progress.>",
    "subscribe >",
  ],
  bootstrap: [
    "publish queue.0.default.studio.job.0",
    "publish outcome.studio.job.0",
    "publish $JS.API.STREAM.DELETE.QUEUE",
    "publish $JS.API.STREAM.MSG.GET.QUEUE",
    "publish $JS.API.CONSUMER.CREATE.OUTCOMES",
    "subscribe >",
  ],
};

const canRun = helmAtHand !== undefined && (await findServerForTests()) !== undefined;

describe.runIf(canRun)("the broker of the chart", () => {
  let folder: string;
  let broker: BrokerOfChart;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-refusals-"));
    broker = await startBrokerOfChart(folder, { pools: ["default", "sketch"], shards: 1 });
  });
  afterAll(async () => {
    await broker?.server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(Object.entries(forbidden))(
    "refuses %s what is not its business",
    async (user, tries) => {
      const seed = (await readFile(broker.credentials(user), "utf8")).trim();
      const connection = await connect({
        servers: broker.server.url,
        authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
      });
      const refused = connection.status();
      for (const attempt of tries) {
        const [verb, subject = ""] = attempt.split(" ");
        if (verb === "publish") connection.publish(subject);
        else connection.subscribe(subject, { callback: () => undefined });
      }
      const found: Attempt[] = [];
      for await (const status of refused) {
        if (status.type !== "error" || !(status.error instanceof PermissionViolationError))
          continue;
        const { operation, subject } = status.error;
        found.push(`${operation === "publish" ? "publish" : "subscribe"} ${subject}`);
        if (found.length === tries.length) break;
      }
      await connection.close();
      expect(found.toSorted()).toEqual(tries.toSorted());
    },
  );

  test("lets nobody in who has no key", async () => {
    const stranger = connect({ servers: broker.server.url, reconnect: false });
    await expect(stranger).rejects.toThrow(/authorization/i);
    // What the test of a whole farm looks for, and finds nothing of.
    expect((await broker.refusals()).length).toBeGreaterThan(0);
  });
});

/** What the chart's object store has acknowledged is there after the power was cut. */
import { randomBytes } from "node:crypto";
import { openS3BlobStore } from "@zfarm/blobs";
import { Secret } from "@zfarm/runtime";
import type { S3Server } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { helmAtHand } from "../chart/render-chart.ts";
import { canCutPower, Disk } from "./power-cut.ts";
import { hasStoreForTests, startStoreOfChart } from "./store-of-chart.ts";

const jobs = 40;
const pictureBytes = 1_500_000;
const canRun = (await hasStoreForTests()) && helmAtHand !== undefined && (await canCutPower());

describe.runIf(canRun)("the object store of the chart, when the power is cut", () => {
  let disk: Disk;
  let server: S3Server;
  beforeAll(async () => {
    disk = await Disk.open();
    server = await startStoreOfChart({ folder: disk.folder });
  });
  afterAll(async () => {
    await server?.stop();
    await disk?.close();
  });

  test("has every manifest and picture that it has acknowledged, whole", async () => {
    const options = {
      endpoint: server.endpoint,
      bucket: "zfarm",
      region: server.region,
      accessKey: new Secret(server.accessKey),
      secretKey: new Secret(server.secretKey),
    };
    const store = await openS3BlobStore(options);
    await store.put("first", randomBytes(1), "image/png");
    await disk.flush();
    const kept = new Map<string, Uint8Array>();
    for (let job = 0; job < jobs; job += 1) {
      const [manifest, picture] = [randomBytes(2_000), randomBytes(pictureBytes)];
      await store.create(`jobs/${job}`, manifest, "application/octet-stream");
      await store.put(`pictures/${job}.png`, picture, "image/png");
      kept.set(`jobs/${job}`, manifest).set(`pictures/${job}.png`, picture);
    }

    server.freeze();
    await disk.copy();
    await server.kill();
    await disk.takeCopy();
    await server.restart();

    const damaged: string[] = [];
    for (const [key, bytes] of kept) {
      const found = await store.get(key);
      if (found === undefined || Buffer.compare(found, bytes) !== 0) damaged.push(key);
    }
    await store.close();
    expect(damaged).toEqual([]);
  });
});

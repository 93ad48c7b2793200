/** BullMQ's worker process: `node bullmq-worker.mjs HOME QUEUE PORT CONCURRENCY`. Draws nothing. */
import { createRequire } from "node:module";
import { join } from "node:path";

const [home = "", queueName = "", port = "", concurrency = "1"] = process.argv.slice(2);
const { Worker } = createRequire(join(home, "package.json"))("bullmq");
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };

/** What the farm's outcome says of a picture. */
const result = (job) => ({
  kind: "SUCCEEDED",
  spec: job.data,
  image: {
    key: `default/${job.id}/0/1.png`,
    sha256: "0".repeat(64),
    sizeBytes: 100_000,
    mediaType: "image/png",
    modelDigest: "00",
  },
  worker: "simulated-0",
  attempt: 1,
  endTime: new Date(),
});

const options = { connection, concurrency: Number(concurrency) };
const worker = new Worker(queueName, async (job) => result(job), options);
await worker.waitUntilReady();
process.send?.("ready");
process.once("disconnect", () => {
  void worker.close().then(() => process.exit(0));
});

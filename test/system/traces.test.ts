/** What operators are promised of traces: one of them tells the life of a picture, whoever dies. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";

const prompt = "a tiny violet lighthouse on a cliff";
/** Long enough to be hit in the middle. */
const slow = { prompt, width: 512, height: 512, steps: 50, seed: 7n };

describe.skipIf(!(await hasNatsServer()))("a farm that keeps traces", () => {
  let receiver: OtlpReceiver;
  let farm: FarmUnderTest;
  let client: FarmClient;
  /** What the caller is doing. */
  let current: string | undefined;

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "50" };
    farm = await startFarm({ workers: 2, env });
    client = connectFarm({ address: farm.address, traceparent: () => current });
  });
  afterAll(async () => {
    client.close();
    expect(await farm.stop()).toBe(0);
    await receiver.close();
  });

  /** The spans of a trace once its attempt has ended and its call was answered. */
  async function spansOf(traceId: string): Promise<readonly ReceivedSpan[]> {
    const own = (spans: readonly ReceivedSpan[]): ReceivedSpan[] =>
      spans.filter((span) => span.traceId === traceId);
    await receiver.until((spans) => {
      const names = own(spans).map(({ name }) => name);
      return names.includes("attempt") && names.some((name) => name.includes("RenderService/"));
    });
    return own(receiver.spans);
  }

  /** Each span with its parents, outermost first. */
  function pathsOf(spans: readonly ReceivedSpan[]): string[] {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const pathOf = (span: ReceivedSpan): string => {
      const parent = byId.get(span.parentId);
      return parent === undefined ? span.name : `${pathOf(parent)} > ${span.name}`;
    };
    return spans.map(pathOf).sort();
  }

  test("tells one picture's life in the trace of its caller", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const caller = "00f067aa0ba902b7";
    current = `00-${traceId}-${caller}-01`;

    const { task } = await client.renderImage({ prompt, width: 128, height: 128, steps: 3 });

    const spans = await spansOf(traceId);
    const call = "zfarm.v1.RenderService/RenderImage";
    const attempt = `${call} > admit job > grant > attempt`;
    expect(pathsOf(spans)).toEqual([
      call,
      `${call} > admit job`,
      `${call} > admit job > grant`,
      attempt,
      `${attempt} > denoise`,
      `${attempt} > encode file`,
      `${attempt} > send OUTCOMES`,
      `${attempt} > text encode`,
      `${attempt} > upload`,
      `${attempt} > vae decode`,
      `${call} > answer with the picture`,
    ]);
    const found = (name: string) => spans.find((span) => span.name === name);
    expect(found(call)?.parentId).toBe(caller);
    expect(found("denoise")?.events.map(({ facts }) => facts.get("zfarm.step"))).toEqual([
      "1",
      "2",
      "3",
    ]);
    const [, project = "", , job = ""] = task.split("/");
    expect(found("attempt")?.facts.get("zfarm.task")).toContain(job);
    expect(found("admit job")?.facts.get("zfarm.project")).toBe(project);
    expect(new Set(spans.map(({ service }) => service))).toEqual(
      new Set(["zfarm-gateway", "zfarm-scheduler", "zfarm-gpu-worker"]),
    );
    expect(spans.filter(({ hasFailed }) => hasFailed)).toEqual([]);
  });

  test("shows a second attempt in the same trace when a worker dies", async () => {
    const traceId = "1af7651916cd43dd8448eb211c80319c";
    current = `00-${traceId}-b7ad6b7169203331-01`;
    let hits = 0;
    let worker = "";
    for await (const { event } of client.streamRender(slow)) {
      if (event?.$case === "started" && hits === 0) {
        worker = event.value.worker.replace("workers/", "");
      }
      if (event?.$case !== "step" || event.value.index < 3 || hits > 0) continue;
      hits += 1;
      await farm.kill(worker);
    }

    const spans = await spansOf(traceId);
    const grants = spans.filter(({ name }) => name === "grant");
    expect(grants.map(({ facts }) => facts.get("zfarm.attempt"))).toEqual(["1", "2"]);
    const [lost] = spans.filter(({ name }) => name === "attempt lost");
    expect(lost?.facts.get("zfarm.worker")).toBe(worker);
    expect(lost?.hasFailed).toBe(true);
    const [attempt, ...others] = spans.filter(({ name }) => name === "attempt");
    expect(others).toEqual([]);
    expect(attempt?.facts.get("zfarm.attempt")).toBe("2");
    expect(attempt?.facts.get("zfarm.worker")).not.toBe(worker);
    expect(attempt?.parentId).toBe(grants[1]?.spanId);
  });

  test("shows the attempt under the same trace when its leader dies with it in hand", async () => {
    const traceId = "2af7651916cd43dd8448eb211c80319c";
    current = `00-${traceId}-b7ad6b7169203331-01`;
    let hits = 0;
    let worker = "";
    for await (const { event } of client.streamRender({ ...slow, seed: 8n })) {
      if (event?.$case === "started" && hits === 0) {
        worker = event.value.worker.replace("workers/", "");
      }
      if (event?.$case !== "step" || event.value.index < 3 || hits > 0) continue;
      hits += 1;
      // The leader first: only the next one can miss the worker.
      await farm.kill("scheduler");
      await farm.kill(worker);
    }

    const spans = await spansOf(traceId);
    const [attempt, ...others] = spans.filter(({ name }) => name === "attempt");
    // Whoever has it now: the new leader knows of no crash, and the worker may be up again by then.
    expect(others).toEqual([]);
    const grants = spans.filter(({ name }) => name === "grant");
    expect(grants.map(({ spanId }) => spanId)).toContain(attempt?.parentId);
  });

  test("begins a trace of its own where the caller's is none", async () => {
    current = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
    const before = receiver.spans.length;

    await client.renderImage({ prompt, width: 128, height: 128, steps: 1 });

    const fresh = () => receiver.spans.slice(before);
    await receiver.until(() => fresh().some(({ name }) => name === "attempt"));
    const attempt = fresh().find(({ name }) => name === "attempt");
    expect(attempt?.traceId).toMatch(/[1-9a-f]/);
  });

  test("keeps nothing of a trace that its caller does not keep", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    current = `00-${traceId}-b7ad6b7169203331-00`;
    await client.renderImage({ prompt, width: 128, height: 128, steps: 1 });
    current = `00-${traceId.replace("0", "9")}-b7ad6b7169203331-01`;
    await client.renderImage({ prompt, width: 128, height: 128, steps: 1 });
    await spansOf(traceId.replace("0", "9"));

    expect(receiver.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  test("joins its log lines with its traces", async () => {
    const traceId = "5bf92f3577b34da6a3ce929d0e0e4736";
    current = `00-${traceId}-00f067aa0ba902b7-01`;
    await client.renderImage({ prompt, width: 128, height: 128, steps: 1 });
    await spansOf(traceId);

    const logs = join(farm.dataDir, "logs");
    const texts = await Promise.all(
      (await readdir(logs)).map((name) => readFile(join(logs, name), "utf8")),
    );
    const lines = texts
      .join("\n")
      .split("\n")
      .filter((line) => line.includes(traceId));
    const told = lines.map((line) => (JSON.parse(line) as { message: string }).message);
    expect(new Set(told)).toEqual(
      new Set(["job admitted", "call served", "tasks granted", "task ended"]),
    );
  });

  test("never says what was asked to be drawn", () => {
    expect(receiver.spans.length).toBeGreaterThan(20);
    expect(receiver.text).toContain("zfarm.task");
    expect(receiver.text).not.toContain("lighthouse");
  });
});

/** What operators are promised of logs: each line can be read, joined and shown to others. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNanoLora } from "../nano-loras.ts";
import { readText, repositoryRoot } from "../repository.ts";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

/** Words of users that no line may have. */
const secrets = {
  prompt: "zebrafinch",
  negativePrompt: "quicksilver",
  jobName: "thunderbolt",
  triggerWord: "marzipan",
  loraName: "periwinkle",
};
const lora = "blossom";

interface LogLine {
  readonly app: string;
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

describe.skipIf(!(await hasNatsServer()))("the logs of a farm", () => {
  let folder: string;
  let farm: FarmUnderTest;
  let text: string;
  let lines: LogLine[];

  /** A farm that did everything that it writes lines of: pictures, refusals, adapters, a death. */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-logs-"));
    farm = await startFarm({ workers: 2, model: await guidedModel(folder) });
    await addAdapter();
    await draw();
    await beRefused();
    await killOne();
    const logs = join(farm.dataDir, "logs");
    const files = (await readdir(logs)).map((name) => readFile(join(logs, name), "utf8"));
    text = (await Promise.all(files)).join("\n");
    lines = text
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine);
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
    await rm(folder, { recursive: true });
  });

  const size = { width: 64, height: 64, steps: 2 };
  const prompt = `a ${secrets.prompt} in a tree`;

  async function addAdapter(): Promise<void> {
    const path = join(folder, "adapter.safetensors");
    await writeFile(path, (await createNanoLora({ rank: 2 })).bytes);
    const about = { displayName: secrets.loraName, triggerWords: [secrets.triggerWord] };
    await farm.client.loras.upload(path, { lora, ...about });
  }

  async function draw(): Promise<void> {
    const guidance = { scale: 3, negativePrompt: secrets.negativePrompt };
    const loras = [{ lora, weight: 1 }];
    await farm.client.renderImage({ prompt, guidance, loras, ...size }, { requestId: "once-more" });
    const images = [{ prompt, ...size }];
    const job = await farm.client.createJob({ images, displayName: secrets.jobName });
    for await (const { event } of farm.client.watchJob(job.name)) {
      if (event?.$case === "jobEnded") break;
    }
  }

  async function beRefused(): Promise<void> {
    const bad = [
      farm.client.renderImage({ prompt: `${prompt}\u0007`, ...size }),
      farm.client.renderImage({ prompt, ...size, width: 7 }),
      farm.client.renderImage({ prompt, loras: [{ lora: "nobody", weight: 1 }], ...size }),
    ];
    const results = await Promise.allSettled(bad);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  }

  async function killOne(): Promise<void> {
    let hits = 0;
    const slow = { prompt, width: 512, height: 512, steps: 50 };
    for await (const { event } of farm.client.streamRender(slow)) {
      if (event?.$case !== "started" || hits > 0) continue;
      hits += 1;
      await farm.kill(event.value.worker.replace("workers/", ""));
    }
    expect(hits).toBe(1);
  }

  function linesOf(message: string): LogLine[] {
    return lines.filter((line) => line.message === message);
  }

  test.each(Object.entries(secrets))("never repeat a user's %s", (_what, word) => {
    expect(lines.length).toBeGreaterThan(20);
    expect(text).not.toContain(word);
  });

  test("name an adapter by its name only where a call was about it", () => {
    const named = lines.filter((line) => JSON.stringify(line).includes(lora));
    expect(named.map(({ method }) => method)).toEqual(["UploadLora"]);
  });

  test("have one wide line for each unit of work", () => {
    const [call] = linesOf("call served").filter(({ method }) => method === "RenderImage");
    expect(call).toMatchObject({ request_id: "once-more", code: "OK", attempt: 1 });
    const job = call?.["job_id"];
    expect(linesOf("job admitted").filter((line) => line["job_id"] === job)).toHaveLength(1);
    const ended = linesOf("task ended").filter((line) => line["job_id"] === job);
    expect(ended).toHaveLength(1);
    expect(ended[0]).toMatchObject({ outcome: "succeeded", attempt: 1, steps_done: 2 });
    const task = ended[0]?.["task_id"];
    const granted = linesOf("tasks granted").filter(({ task_ids: tasks }) =>
      (tasks as unknown[]).includes(task),
    );
    expect(granted).toHaveLength(1);
    expect(granted[0]?.["worker_id"]).toBe(ended[0]?.["worker_id"]);
    expect(linesOf("call refused")).toHaveLength(3);
    expect(linesOf("task came back")).toHaveLength(1);
  });

  test("have no field that the reference does not explain", () => {
    const table = readText("docs/reference/logs.md").matchAll(/^\| (`[^|]+`) \|/gm);
    const known = new Set(
      [...table].flatMap(([, names = ""]) =>
        [...names.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
      ),
    );
    const fields = new Set(
      lines.filter(({ level }) => level !== "debug").flatMap((line) => Object.keys(line)),
    );
    expect([...fields].filter((field) => !known.has(field)).sort()).toEqual([]);
  });
});

/** The shipped model, but that it takes negative prompts. */
async function guidedModel(folder: string): Promise<string> {
  const model = join(folder, "model");
  await cp(join(repositoryRoot, "models/z-image-nano"), model, { recursive: true });
  const scheduler = join(model, "scheduler/scheduler_config.json");
  const settings = JSON.parse(await readFile(scheduler, "utf8")) as object;
  await writeFile(scheduler, JSON.stringify({ ...settings, shift: 6 }));
  return model;
}

/** Real processes on a real nats-server that loses what it had. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BlobStore, openDirectoryBlobStore } from "@zfarm/blobs";
import { type Broker, copyOutcomes } from "@zfarm/broker";
import {
  createJobId,
  defaultPool,
  defaultProject,
  JobManifest,
  manifestKey,
  OutcomeKind,
  type TaskSpec,
} from "@zfarm/contract";
import { findServerForTests, type NatsFarm, never, openNatsFarm } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildTask, outcomeOf } from "../testing/drive-core.ts";

const hasServer = (await findServerForTests()) !== undefined;
const tasksOfJob = 40;

describe.skipIf(!hasServer)("a farm with manifests that lost its broker's state", () => {
  let farm: NatsFarm;
  let blobs: BlobStore;
  let folder: string;
  const children: ChildProcess[] = [];
  const ref = { project: defaultProject, job: createJobId() };
  const specs: TaskSpec[] = Array.from({ length: tasksOfJob }, (_, index) => {
    const { spec } = buildTask(index, { job: ref.job });
    if (spec === undefined) throw new Error("a built task has a spec");
    return spec;
  });

  beforeEach(async () => {
    farm = await openNatsFarm();
    folder = await mkdtemp(join(tmpdir(), "zfarm-restore-"));
    blobs = await openDirectoryBlobStore(folder);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await farm.close();
    await rm(folder, { recursive: true, force: true });
  });

  function startScheduler(env: Record<string, string>) {
    const entry = new URL("./main.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [entry], {
      env: {
        NATS_URL: farm.server.url,
        DURABILITY: "manifest",
        BLOBS_DIR: folder,
        OPS_PORT: "0",
        ...env,
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    return {
      lines,
      exitCode: async () => child.exitCode ?? ((await once(child, "exit"))[0] as number),
    };
  }

  /** What gateways and a worker have stored: a job of which every fourth task has ended. */
  async function fill(broker: Broker): Promise<void> {
    const record = {
      ...ref,
      requestDigest: "d",
      pool: defaultPool,
      displayName: "",
      taskCount: tasksOfJob,
      createTime: new Date(),
      admitted: false,
    };
    const bytes = JobManifest.encode({ record, tasks: specs }).finish();
    await blobs.create(manifestKey(ref), bytes, "application/x-protobuf");
    await broker.jobs.create({ ...record, admitted: true });
    const outcomes = copyOutcomes(broker.outcomes, blobs);
    for (const spec of specs) {
      if (spec.index % 4 === 0) {
        await outcomes.publish(outcomeOf(spec, OutcomeKind.FAILED, BigInt(spec.index + 1)));
      } else {
        await broker.queue.add({ spec, attempts: 0 });
      }
    }
  }

  async function expectWhole(broker: Broker): Promise<void> {
    await expect.poll(() => broker.farm.isRestored()).toBe(true);
    const ended = await broker.outcomes.list(ref);
    expect(ended).toHaveLength(tasksOfJob / 4);
    expect((await broker.jobs.find(ref))?.record.admitted).toBe(true);
    const found = specs.map(({ index }) => broker.queue.find(defaultPool, { ...ref, index }));
    const live = (await Promise.all(found)).filter((stored) => stored !== undefined);
    const expected = specs.filter(({ index }) => index % 4 !== 0);
    expect(live.map(({ task }) => task.spec)).toEqual(expected);
  }

  test("has lost nothing when its server comes back empty", async () => {
    const before = await farm.connect();
    await fill(before);
    const first = startScheduler({});
    await expect.poll(() => first.lines.join()).toContain("farm is restored");

    await farm.server.restart({ forget: true });

    expect(await first.exitCode()).toBe(1);
    startScheduler({});
    await expect
      .poll(() =>
        farm.connect().then(
          () => "there",
          () => "not yet",
        ),
      )
      .toBe("there");
    await expectWhole(await farm.connect());
  });

  test.each(["QUEUE", "OUTCOMES", "KV_jobs"])(
    "refuses to start without %s, until it is told to make it anew",
    async (lost) => {
      await fill(await farm.connect());
      await farm.deleteStream(lost);

      const refusing = startScheduler({});
      expect(await refusing.exitCode()).toBe(1);
      expect(refusing.lines.join()).toContain(`streams missing: ${lost}`);

      startScheduler({ NATS_STREAMS: "recreate" });
      const connecting = () => farm.connect({ streams: "require" });
      await expect
        .poll(
          () =>
            connecting().then(
              () => "there",
              () => "not yet",
            ),
          { timeout: 20_000 },
        )
        .toBe("there");
      await expectWhole(await connecting());
    },
    60_000,
  );

  test("has lost nothing when an older state of its server was put back", async () => {
    const before = await farm.connect();
    await before.farm.markRestored(new Date(1));
    await farm.server.snapshot();
    await fill(before);
    await before.drain();

    await farm.server.restart({ fromSnapshot: true });

    startScheduler({});
    const broker = await farm.connect();
    const endedTasks = () => broker.outcomes.list(ref).then((all) => all.length);
    await expect.poll(endedTasks).toBe(10);
    await expect.poll(() => broker.jobs.find(ref)).toBeDefined();
    await expectWhole(broker);
  });

  test("ends every process that was running, so that new ones find what was restored", async () => {
    const broker = await farm.connect();
    const told = expect(broker.untilLost(never)).rejects.toMatchObject({ code: "STATE_LOST" });
    const scheduler = startScheduler({});
    await expect.poll(() => scheduler.lines.join()).toContain("leading");

    await farm.deleteStream("QUEUE");

    expect(await scheduler.exitCode()).toBe(1);
    await told;
  });
});

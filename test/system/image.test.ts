/**
 * What the images hold, put together by the scripts that they are built with: a farm runs from it,
 * as a user who may write none of it, and ends at the signal that a container gets. The images
 * themselves are built and run by test/images.
 */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectFarm } from "@zfarm/client";
import { findFreePort } from "@zfarm/runtime";
import { type NatsServer, startNatsServer } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { isReady } from "../chaos/farm/probe.ts";
import { repositoryRoot } from "../repository.ts";
import { hasNatsServer } from "./farm.ts";

/** The user of the images; who is not root has to do with oneself. */
const other = "10001";
const asOther = ["setpriv", `--reuid=${other}`, `--regid=${other}`, "--clear-groups"];
const prefix = process.getuid?.() === 0 ? asOther : [];
const hasNats = await hasNatsServer();
const sizeMax = 200 * 2 ** 20;

describe.skipIf(process.platform !== "linux")("an image", () => {
  let folder: string;
  let app: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-image-"));
    app = join(folder, "app");
    const script = (name: string): string => join(repositoryRoot, "deploy/docker", name);
    await promisify(execFile)("sh", [script("take-apart.sh"), repositoryRoot, app, app]);
    await promisify(execFile)("sh", [script("install-modules.sh"), app]);
    await promisify(execFile)("chmod", ["-R", "a-w", app]);
    await chmod(folder, 0o755);
  }, 240_000);
  afterAll(async () => {
    await promisify(execFile)("chmod", ["-R", "u+w", app]);
    await rm(folder, { recursive: true });
  });

  test("holds no tests, no tools of development, and no more than it must", async () => {
    const { devDependencies } = JSON.parse(await readFile(join(app, "package.json"), "utf8"));
    const modules = await readdir(join(app, "node_modules"));
    for (const name of Object.keys(devDependencies)) expect(modules).not.toContain(name);
    const sources = await readdir(app, { recursive: true });
    const own = sources.filter((path) => !path.startsWith("node_modules/"));
    expect(own.filter((path) => path.endsWith(".test.ts"))).toEqual([]);
    const { stdout } = await promisify(execFile)("du", ["-sb", app]);
    expect(Number(stdout.split("\t")[0])).toBeLessThan(sizeMax);
  });

  describe.runIf(hasNats)("as a farm", () => {
    let nats: NatsServer;
    const processes: ManagedProcess[] = [];
    beforeAll(async () => {
      nats = await startNatsServer();
    });
    afterAll(async () => {
      await Promise.all(processes.map((each) => each.stop()));
      await nats?.stop();
    });

    test("renders, and every process ends well when it is told to", async () => {
      const written = join(folder, "written");
      await mkdir(written, { mode: 0o777 });
      await chmod(written, 0o777);
      const port = await findFreePort();
      const run = (entry: string, env: NodeJS.ProcessEnv = {}) =>
        start([app, entry], written, { NATS_URL: nats.url, ...env });
      const bootstrap = [...prefix, process.execPath, "cli/bin/zfarm.mjs", "bootstrap"];
      const [program = "", ...args] = bootstrap;
      await promisify(execFile)(program, args, { cwd: app, env: { NATS_URL: nats.url } });

      processes.push(
        run("services/scheduler/src/main.ts"),
        run("services/gateway/src/main.ts", {
          GATEWAY_HOST: "127.0.0.1",
          GATEWAY_PORT: String(port),
        }),
        run("services/gpu-worker/src/main.ts", { MODEL_DIR: join(app, "models/z-image-nano") }),
      );
      await Promise.all(processes.map((each) => each.ready()));
      const client = connectFarm({ address: `127.0.0.1:${port}` });
      const spec = { prompt: "a red ball", width: 128, height: 128, steps: 2, seed: 1n };
      const { image } = await client.renderImage(spec, { includeData: true });
      client.close();

      expect(
        Buffer.from(image?.data ?? [])
          .subarray(1, 4)
          .toString(),
      ).toBe("PNG");
      const ends = await Promise.all(processes.map((each) => each.terminate()));
      expect(ends).toEqual(Array(3).fill("exit code 0"));
    });
  });
});

function start(
  [app, entry]: readonly [string, string],
  written: string,
  env: NodeJS.ProcessEnv,
): ManagedProcess {
  const name = entry.split("/")[1] ?? "";
  const each = new ManagedProcess({
    name,
    command: [...prefix, process.execPath, join(app, entry)],
    env: { BLOBS_DIR: join(written, "blobs"), OPS_HOST: "127.0.0.1", TMPDIR: written, ...env },
    logFile: join(written, `${name}.log`),
    isReady,
  });
  each.start();
  return each;
}

/**
 * Builds the image and runs a farm of it, every container as strict as the chart's pods are: a
 * user without a name and without rights, a root that is read only.
 */
import { constants } from "node:os";
import { join } from "node:path";
import { findServerForTests, hasMinioForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { helmAtHand } from "../chart/render-chart.ts";
import { repositoryRoot } from "../repository.ts";
import { type ContainerFarm, openContainerFarm } from "./container-farm.ts";
import {
  buildFarmImage,
  type FarmImage,
  findEngineForTests,
  image,
  runOnce,
  sizeOf,
} from "./farm-image.ts";

const engine = await findEngineForTests();
const canRunFarm =
  engine !== undefined &&
  helmAtHand !== undefined &&
  (await findServerForTests()) !== undefined &&
  (await hasMinioForTests());
/** 388 MB, of which the base is 222; a cache or a second copy of the packages would show. */
const sizeMax = 450e6;
const slow = { prompt: "a castle", width: 512, height: 512, steps: 50, seed: 5n };

describe.runIf(engine)("the image", () => {
  let farmImage: FarmImage;
  beforeAll(async () => {
    if (engine !== undefined) farmImage = await buildFarmImage(engine);
  });

  /** What a script says inside a container, as JSON. */
  async function ask(script: string): Promise<unknown> {
    const run = `console.log(JSON.stringify((() => { ${script} })()))`;
    return JSON.parse(await runOnce(farmImage, [image, "--eval", run]));
  }

  test("is process 1, nobody, and may do nothing", async () => {
    const status = await ask(`
      const status = require("fs").readFileSync("/proc/self/status", "utf8");
      const field = (name) => new RegExp("^" + name + ":\\\\s*(.*)$", "m").exec(status)[1];
      const who = [process.pid, process.getuid(), process.getgid()];
      return [...who, field("CapBnd"), field("NoNewPrivs")];
    `);
    expect(status).toEqual([1, 10001, 10001, "0000000000000000", "1"]);
  });

  test("holds the farm and nothing of how it was built", async () => {
    const left = await ask(`
      const fs = require("fs");
      const files = fs.readdirSync("/app", { recursive: true, withFileTypes: true });
      const isOdd = (one) => {
        const { uid, mode } = fs.lstatSync(one.parentPath + "/" + one.name);
        return uid !== 0 || (!one.isSymbolicLink() && (mode & 0o22) !== 0);
      };
      const isOurs = (one) => !one.parentPath.startsWith("/app/node_modules");
      return {
        top: fs.readdirSync("/app").sort(),
        models: fs.readdirSync("/app/models"),
        odd: files.filter(isOdd).map(({ name }) => name),
        tests: files.filter((one) => isOurs(one) && one.name.includes(".test.")).length,
        leftovers: ["/repository", "/build", "/manifests", "/run/secrets"].filter(fs.existsSync),
        temporary: fs.readdirSync("/tmp"),
      };
    `);
    expect(left).toEqual({
      top: [
        "LICENSE",
        "cli",
        "models",
        "node_modules",
        "package-lock.json",
        "package.json",
        "packages",
        "services",
        "tools",
      ],
      models: ["z-image-nano"],
      odd: [],
      tests: 0,
      leftovers: [],
      temporary: [],
    });
    expect(await sizeOf(farmImage)).toBeLessThan(sizeMax);
  });

  describe.runIf(canRunFarm)("as the pods of the chart", () => {
    let farm: ContainerFarm;
    const services: Record<string, ManagedProcess> = {};
    beforeAll(async () => {
      farm = await openContainerFarm(farmImage);
      await farm.runPod("bootstrap");
      for (const component of ["scheduler", "gateway", "worker"]) {
        services[component] = await farm.startPod(component);
      }
    });
    afterAll(async () => {
      await farm?.stop();
    });

    test("is alive and ready to its probes", async () => {
      for (const { opsAddress } of Object.values(services)) {
        for (const path of ["/livez", "/readyz"]) {
          expect((await fetch(`http://${opsAddress}${path}`)).status).toBe(200);
        }
      }
    });

    test("ends at a signal that comes before anything has asked for it", async () => {
      const script = `process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 2_000);`;
      const killed = { code: 128 + constants.signals.SIGTERM };
      await expect(farm.runInPod("scheduler", script)).rejects.toMatchObject(killed);
      // As process 1 it hears nothing of it.
      await runOnce(farmImage, [image, "--eval", script]);
    });

    test("passes the chart's own test: a picture through the gateway's service", async () => {
      expect(await farm.runPod("test")).toContain("/tmp/test.png");
    });

    test("takes an adapter in and draws with it: both lie in volumes", async () => {
      const file = join(repositoryRoot, "models/z-image-nano/loras/blueprint.safetensors");
      await farm.client.loras.upload(file, { lora: "blueprint" });
      const loras = [{ lora: "blueprint", weight: 1 }];
      const spec = { prompt: "a boat", width: 128, height: 128, steps: 2, seed: 3n };
      const [drawn, plain] = await Promise.all([
        farm.client.renderImage({ ...spec, loras }),
        farm.client.renderImage(spec),
      ]);

      expect(drawn.image?.sha256).toBeTypeOf("string");
      expect(drawn.image?.sha256).not.toBe(plain.image?.sha256);
    });

    test("loses no picture to a worker that is told to stop; all services end well", async () => {
      const next = await farm.startPod("worker");
      let told: Promise<string> | undefined;
      let isDrawn = false;
      for await (const { event } of farm.client.streamRender(slow)) {
        if (event?.$case === "completed") isDrawn = true;
        if (event?.$case !== "step" || event.value.index < 3 || told !== undefined) continue;
        told = services["worker"]?.terminate();
      }

      expect(isDrawn).toBe(true);
      const others = [next, services["gateway"], services["scheduler"]];
      const ends = await Promise.all([told, ...others.map((one) => one?.terminate())]);
      expect(ends).toEqual(Array(4).fill("exit code 0"));
    });
  });
});

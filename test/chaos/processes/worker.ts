/**
 * Entry of a worker under test: the product's worker over the stub engine. CHAOS_HALT names a point
 * between its writes at which it freezes once, said on stdout, to be thawed or killed there.
 */
import { type BlobStore, openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { type Broker, openBroker, readBrokerConfig } from "@zfarm/broker";
import { readGpuWorker, wireGpuWorker } from "@zfarm/gpu-worker";
import { type Env, EnvReader, runMain } from "@zfarm/runtime";

const haltPoints = ["none", "before-put", "after-put", "after-outcome"] as const;
type HaltPoint = (typeof haltPoints)[number];
let hasStoodStill = false;

function readConfig(env: Env) {
  const reader = new EnvReader(env);
  const config = {
    broker: readBrokerConfig(reader),
    blobs: readBlobsConfig(reader),
    worker: readGpuWorker(reader),
    halt: reader.choice("CHAOS_HALT", haltPoints, "none"),
  };
  reader.finish();
  return config;
}

await runMain("gpu-worker", readConfig, async (app, config) => {
  const { clock, log } = app;
  const opening = openBroker(config.broker, { name: config.worker.worker, clock, log });
  const broker = await app.open("broker", opening, (open) => open.drain());
  const blobs = await app.open("blobs", openBlobStore(config.blobs, app), (open) => open.close());
  const engineEntry = new URL("./engine.ts", import.meta.url);
  await wireGpuWorker(
    app,
    { ...config.worker, engineEntry },
    { broker: haltBroker(broker, config.halt), blobs: haltBlobs(blobs, config.halt) },
  );
});

function haltBlobs(blobs: BlobStore, halt: HaltPoint): BlobStore {
  return override(blobs, {
    put: async (key, bytes, contentType) => {
      if (halt === "before-put") await standStill(halt);
      await blobs.put(key, bytes, contentType);
      if (halt === "after-put") await standStill(halt);
    },
  });
}

function haltBroker(broker: Broker, halt: HaltPoint): Broker {
  const { outcomes } = broker;
  return override(broker, {
    outcomes: override(outcomes, {
      publish: async (outcome) => {
        const result = await outcomes.publish(outcome);
        if (halt === "after-outcome") await standStill(halt);
        return result;
      },
    }),
  });
}

/** The target with some members replaced; its other methods keep it as their `this`. */
function override<Target extends object>(target: Target, members: Partial<Target>): Target {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Once: the whole process freezes, heartbeats included, until it is thawed or killed. */
async function standStill(point: HaltPoint): Promise<void> {
  if (hasStoodStill) return;
  hasStoodStill = true;
  process.stdout.write(`${JSON.stringify({ chaos: "halt", point })}\n`);
  process.kill(process.pid, "SIGSTOP");
  // The signal takes effect a little later than the call returns.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

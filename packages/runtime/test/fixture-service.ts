/** A service for the tests of `runMain`: each MODE is one way to stop well or badly. */
import { type App, type Env, EnvReader, runMain, type Secret } from "../src/index.ts";

const modes = [
  "good",
  "slow-open",
  "stuck-loop",
  "failing-close",
  "early-return",
  "failing-wire",
  "uncaught",
] as const;

interface FixtureConfig {
  readonly mode: (typeof modes)[number];
  readonly size: number;
  readonly key: Secret;
}

function readFixtureConfig(env: Env): FixtureConfig {
  const reader = new EnvReader(env);
  const config = {
    mode: reader.choice("MODE", modes, "good"),
    size: reader.integer("SIZE", { default: 1, min: 1, max: 9 }),
    key: reader.secret("KEY"),
  };
  reader.finish();
  return config;
}

async function wireFixture(app: App, config: FixtureConfig): Promise<void> {
  app.log.info({ config }, "config was read");
  const closed = (name: string) => (): void => app.log.info({ resource: name }, "closed");
  await app.open("first", 1, closed("first"));
  switch (config.mode) {
    case "good":
      app.spawn("work", (stop) => app.clock.sleep(3_600_000, stop));
      break;
    case "slow-open":
      app.log.info({}, "opening");
      await app.open("slow", opensAfter(app), closed("slow"));
      break;
    case "stuck-loop":
      app.spawn("stuck", () => new Promise(() => undefined));
      break;
    case "failing-close":
      await app.open("failing", 1, () => Promise.reject(new TypeError("cannot close")));
      break;
    case "early-return":
      app.spawn("short", () => Promise.resolve());
      break;
    case "failing-wire":
      throw new TypeError("cannot wire");
    case "uncaught":
      queueMicrotask(() => {
        throw new TypeError("nobody caught this");
      });
      break;
  }
}

/** Ready only once the stop has begun: the latest moment at which a resource can appear. */
async function opensAfter(app: App): Promise<string> {
  await app.clock.sleep(3_600_000, app.stop);
  return "late";
}

await runMain("fixture", readFixtureConfig, wireFixture);

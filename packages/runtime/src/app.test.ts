import { limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { type App, AppStoppedError, startApp, stopWithinMsDefault } from "./app.ts";
import { createLog } from "./log.ts";

/** An app on a manual clock, with everything it logs. */
function start(wire: (app: App) => Promise<void>) {
  const lines: Record<string, unknown>[] = [];
  const clock = createManualClock();
  const write = (line: string): void => void lines.push(JSON.parse(line));
  const log = createLog({ name: "test", level: "debug", destination: { write } });
  const running = startApp({ name: "test", log, clock, wire, stopWithinMs: 1_000 });
  const logged = (message: string) => lines.find((line) => line["message"] === message);
  return { ...running, clock, logged, messages: () => lines.map((line) => line["message"]) };
}

/** A loop as it should be: works until the stop, then returns. */
function untilStop(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve()));
}

const forever = new Promise<never>(() => undefined);

describe("the life of an app", () => {
  test("goes through four states, with one log line and one gauge value each", async () => {
    const gauges: string[] = [];
    const app = start(async ({ registry }) => void gauges.push(await registry.metrics()));

    await app.ready;
    gauges.push(await app.registry.metrics());
    await app.stop();
    gauges.push(await app.registry.metrics());

    expect(gauges.map((text) => /state="(\w+)"\} 1/.exec(text)?.[1])).toEqual([
      "starting",
      "ready",
      "stopped",
    ]);
    const states = ["app is starting", "app is ready", "app is stopping", "app has stopped"];
    expect(app.messages()).toEqual(states);
  });

  test("closes in reverse, after every loop has returned", async () => {
    const order: string[] = [];
    const app = start(async (self) => {
      await self.open("broker", "b", () => void order.push("broker"));
      await self.open("blobs", Promise.resolve("s"), () => void order.push("blobs"));
      self.spawn("work", (stop) => untilStop(stop).then(() => void order.push("work")));
    });
    await app.ready;

    await app.stop();

    expect(order).toEqual(["work", "blobs", "broker"]);
    expect(await app.done).toBe(0);
  });

  test("a loop that returns early stops the app with code 1", async () => {
    const app = start(async (self) => self.spawn("short", () => Promise.resolve()));

    expect(await app.done).toBe(1);
    expect(app.logged("app failed")?.["error"]).toMatchObject({
      message: "loop short returned although nobody asked it to",
    });
  });

  test("a loop that throws stops the other loops and the app with code 1", async () => {
    const ended: string[] = [];
    const app = start(async (self) => {
      self.spawn("good", (stop) => untilStop(stop).then(() => void ended.push("good")));
      self.spawn("bad", () => Promise.reject(new TypeError("boom")));
    });

    expect(await app.done).toBe(1);
    expect(ended).toEqual(["good"]);
  });

  test("wiring that fails closes what was open and ends with code 1", async () => {
    const closed: string[] = [];
    const app = start(async (self) => {
      await self.open("first", 1, () => void closed.push("first"));
      await self.open("second", Promise.reject(new TypeError("refused")), () => undefined);
    });

    await expect(app.ready).rejects.toThrow("refused");
    expect(await app.done).toBe(1);
    expect(closed).toEqual(["first"]);
  });

  test("twenty openings and loops leave no warning about leaking listeners", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    const app = start(async (self) => {
      for (let index = 0; index < 20; index += 1) {
        await self.open(`r${index}`, index, () => undefined);
        self.spawn(`l${index}`, untilStop);
      }
    });
    await app.ready;
    await app.stop();
    await new Promise(setImmediate);
    process.off("warning", note);

    expect(warnings).toEqual([]);
  });

  test("the default deadline is the one the farm's limits promise", () => {
    expect(stopWithinMsDefault).toBe(limits.stopWithinMs);
  });
});

describe("stopping at an ugly moment", () => {
  test("before the first line of wiring has run: wiring never runs", async () => {
    let wired = false;
    const app = start(() => Promise.resolve(void (wired = true)));

    await app.stop();

    await expect(app.ready).rejects.toThrow(AppStoppedError);
    expect([wired, await app.done]).toEqual([false, 0]);
  });

  test("during an open: it is cut short, and what opens late is closed", async () => {
    const closed: string[] = [];
    const opening = Promise.withResolvers<string>();
    const reached = Promise.withResolvers<void>();
    const app = start(async (self) => {
      await self.open("first", 1, () => void closed.push("first"));
      reached.resolve();
      await self.open("slow", opening.promise, (name) => void closed.push(name));
      closed.push("never reached");
    });
    await reached.promise;

    const stopped = app.stop();
    opening.resolve("slow");
    await stopped;

    expect(closed).toEqual(["slow", "first"]);
    expect(await app.done).toBe(0);
  });

  test("during an open that fails afterwards: still code 0", async () => {
    const opening = Promise.withResolvers<string>();
    const reached = Promise.withResolvers<void>();
    const app = start(async (self) => {
      reached.resolve();
      await self.open("slow", opening.promise, () => undefined);
    });
    await reached.promise;

    const stopped = app.stop();
    opening.reject(new TypeError("too late to matter"));
    await stopped;

    expect(await app.done).toBe(0);
  });

  test("a stuck loop is named and ends the wait at the deadline with code 1", async () => {
    const app = start(async (self) => self.spawn("stuck", () => forever));
    await app.ready;

    const stopped = app.stop();
    await app.clock.sleeping();
    await app.clock.advance(1_000);
    await stopped;

    expect(await app.done).toBe(1);
    expect(app.logged("app did not drain in time")?.["waiting_for"]).toEqual(["loop stuck"]);
  });

  test("an open or a close that hangs is named at the deadline", async () => {
    const app = start(async (self) => {
      await self.open("good", 1, () => undefined);
      await self.open("hanging", 1, () => forever);
      await self.open("after", 1, () => undefined);
    });
    await app.ready;

    const stopped = app.stop();
    await app.clock.sleeping();
    await app.clock.advance(1_000);
    await stopped;

    const line = app.logged("app did not drain in time");
    expect(line?.["waiting_for"]).toEqual(["resource hanging"]);
  });

  test("a failing close does not keep the others from closing, and the code is 1", async () => {
    const closed: string[] = [];
    const app = start(async (self) => {
      await self.open("first", 1, () => void closed.push("first"));
      await self.open("failing", 1, () => Promise.reject(new TypeError("boom")));
      await self.open("last", 1, () => void closed.push("last"));
    });
    await app.ready;

    await app.stop();

    expect([closed, await app.done]).toEqual([["last", "first"], 1]);
    expect(app.logged("resource failed to close")?.["resource"]).toBe("failing");
  });

  test("stop asked twice, or after the end, changes nothing", async () => {
    const app = start(() => Promise.resolve());
    await app.ready;

    await Promise.all([app.stop(), app.stop()]);
    await app.stop();

    expect(app.messages().filter((message) => message === "app is stopping")).toHaveLength(1);
  });

  test("a wait that throws the signal's reason, or Node's abort error, is no failure", async () => {
    const app = start(async (self) => {
      self.spawn("reason", (stop) => untilStop(stop).then(() => stop.throwIfAborted()));
      const abort = (): never => {
        throw new DOMException("aborted", "AbortError");
      };
      self.spawn("abort", (stop) => untilStop(stop).then(abort));
    });
    await app.ready;

    await app.stop();

    expect(await app.done).toBe(0);
  });

  test("a loop that fails while draining makes the code 1", async () => {
    const boom = (): never => {
      throw new TypeError("boom");
    };
    const app = start(async (self) => self.spawn("bad", (stop) => untilStop(stop).then(boom)));
    await app.ready;

    await app.stop();

    expect(await app.done).toBe(1);
  });
});

describe("readiness", () => {
  test("lists what is missing, from the start to the end", async () => {
    let missing: string | undefined = "no leader";
    const app = start(async (self) => {
      self.ready(() => missing);
      self.ready(() => Promise.reject(new TypeError("store is away")));
      self.ready(() => undefined);
    });

    const starting = await app.problems();
    await app.ready;
    const ready = await app.problems();
    missing = undefined;
    const fewer = await app.problems();
    await app.stop();

    expect(starting).toEqual(["test is starting"]);
    expect(ready).toEqual(["no leader", "store is away"]);
    expect(fewer).toEqual(["store is away"]);
    expect(await app.problems()).toEqual(["test is stopped"]);
  });

  test("a check that hangs becomes a problem instead of hanging the probe", async () => {
    const app = start(async (self) => self.ready(() => forever));
    await app.ready;

    const problems = app.problems();
    await app.clock.sleeping();
    await app.clock.advance(10_000);

    expect(await problems).toEqual(["a readiness check took longer than 800 ms"]);
    await app.stop();
  });
});

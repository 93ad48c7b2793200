/** W12, S7: wall clocks that are wrong, run at another speed, or jump. Leases must not notice. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFaketime } from "./abilities.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";

interface ClockGround extends Ground {
  /** Says what the schedulers' clocks are from now on, as libfaketime reads it. */
  readonly setClock: (offset: string) => Promise<void>;
}

const skews: Record<string, string> = {
  "worker-1": "+3600",
  "worker-2": "-3600",
  "worker-3": "x2",
};

const skewedWorkers: Row<ClockGround> = {
  id: "W12",
  promise: "workers an hour early, an hour late and at double speed: every task is drawn once",
  run: async (context) => {
    context.farm.fault("skew", "workers");
    await loadWithoutRepeats(context, 60);
    const workers = new Set(
      context.farm.history.events.flatMap((event) =>
        event.kind === "begin" ? [event.worker] : [],
      ),
    );
    context.check(workers.size === 3, "every skewed worker draws");
    await checkFelt(context, ["worker-1", "worker-2"]);
  },
};

const jumpingLeader: Row<ClockGround> = {
  id: "S7",
  promise: "the schedulers' clocks jump an hour ahead, back and behind: no lease is lost",
  run: async (context, { setClock }) => {
    context.undo(() => setClock("+0"));
    const loading = loadWithoutRepeats(context, 120);
    for (const offset of ["+3600", "+0", "-3600", "+0"]) {
      context.farm.fault("clock-jump", offset);
      await setClock(offset);
      await context.wait(2_500);
    }
    await loading;
    const starts = context.farm.schedulers.map((each) => each.starts);
    context.check(
      starts.every((count) => count === 1),
      "no scheduler died of it",
    );
    const leader = await context.farm.leader();
    await checkFelt(context, [leader.name]);
  },
};

export const clockGroup: RowGroup<ClockGround> = {
  name: "clocks",
  needs: ["faketime"],
  open: openGround,
  rows: [skewedWorkers, jumpingLeader],
};

async function openGround(): Promise<ClockGround> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-clock-"));
  const file = join(folder, "offset");
  const setClock = (offset: string): Promise<void> => writeFile(file, `${offset}\n`);
  await setClock("+0");
  const shared = {
    LD_PRELOAD: (await findFaketime()) ?? "",
    // A jump of the wall clock is no jump of the monotonic one.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
  };
  const envOf = (name: string): NodeJS.ProcessEnv => {
    if (name.startsWith("scheduler")) {
      return { ...shared, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: "1" };
    }
    const skew = skews[name];
    return skew === undefined ? {} : { ...shared, FAKETIME: skew };
  };
  return {
    setClock,
    farm: { workers: 3, change: (name) => ({ env: envOf(name) }) },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function loadWithoutRepeats(context: RowContext, tasks: number): Promise<void> {
  const before = countBegins(context);
  const load = await context.load(tasks);
  context.check(load.tasks === tasks, "all tasks were asked for");
  const begins = countBegins(context) - before;
  context.check(begins === tasks, `${begins} attempts at ${tasks} tasks`);
}

function countBegins({ farm }: RowContext): number {
  return farm.history.events.filter(({ kind }) => kind === "begin").length;
}

/** The fault is only one if the process's own log shows a clock that is an hour off. */
async function checkFelt(context: RowContext, names: readonly string[]): Promise<void> {
  const halfHourMs = 1_800_000;
  for (const name of names) {
    const log = await readFile(join(context.farm.folder, "logs", `${name}.log`), "utf8");
    const times = [...log.matchAll(/"time":"([^"]+)"/g)].map((match) => Date.parse(match[1] ?? ""));
    const isFelt = times.some((time) => Math.abs(time - Date.now()) > halfHourMs);
    context.check(isFelt, `the clock of ${name} is wrong`);
  }
}

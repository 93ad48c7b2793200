import { createMemoryBroker } from "@zfarm/broker";
import { defaultProject } from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { expect, test } from "vitest";
import { ProjectQuotas } from "./project-quotas.ts";

/** Quotas of a project that may have `max` waiting tasks, of which the leader counts `waiting`. */
async function openQuotas(max: number, waiting: number): Promise<ProjectQuotas> {
  const broker = createMemoryBroker();
  broker.queries.serve(() => ({
    epoch: 1n,
    reply: { $case: "projectStatus", value: { waiting, running: 0 } },
  }));
  const share = { weight: 1, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax: max };
  await broker.policies.projects.put({ project: defaultProject, ...share }, 0n);
  const quotas = new ProjectQuotas({ broker, log: silentLog });
  void quotas.follow(new AbortController().signal);
  await expect.poll(() => quotas.problem()).toBeUndefined();
  return quotas;
}

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => "room",
    ({ code }) => code,
  );

test("jobs that come at once get no more room together than there is", async () => {
  const quotas = await openQuotas(10, 1);

  const reserving = [4, 5, 3].map((tasks) => codeOf(quotas.reserve(defaultProject, tasks)));

  expect(await Promise.all(reserving)).toEqual(["room", "room", "QUOTA_EXCEEDED"]);
});

test("room that was refused, given up or filled is free for others", async () => {
  const quotas = await openQuotas(10, 0);
  const [one, two] = [await quotas.reserve(defaultProject, 6), quotas.reserve(defaultProject, 4)];
  expect(await codeOf(quotas.reserve(defaultProject, 1))).toBe("QUOTA_EXCEEDED");

  for (let tasks = 0; tasks < 8; tasks += 1) one.stored(1);
  (await two).end();
  (await two).end();

  expect(await codeOf(quotas.reserve(defaultProject, 10))).toBe("room");
});

test("a project without a bound reserves nothing", async () => {
  const quotas = await openQuotas(0, 1_000);

  expect(quotas.isBounded(defaultProject)).toBe(false);
  expect(await codeOf(quotas.reserve(defaultProject, 1_000))).toBe("room");
});

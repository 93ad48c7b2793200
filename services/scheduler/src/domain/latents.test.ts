import { FailureBlame, type LatentCheckpoint, type Lease } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildFailure, buildTask, CoreDriver, listed, only } from "../../testing/drive-core.ts";

const latents: LatentCheckpoint = {
  key: "default/j/0/1.latents",
  sha256: "s",
  sizeBytes: 4,
  step: 3,
  modelDigest: "m",
  device: "cpu",
  specDigest: "d",
};

function handBack(core: CoreDriver, lease: Lease, what = latents) {
  const leased = listed(lease);
  return core.step({
    kind: "attempt-reported",
    worker: "w1" as never,
    leased,
    failure: undefined,
    latents: what,
  });
}

describe("the latents of a task that is handed back", () => {
  test("go with its next lease, and cost no attempt", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));

    handBack(core, core.takeOne("w1"));

    expect(core.takeOne("w2")).toMatchObject({ attempt: 1, latents });
  });

  test("are stored, so that the next leader knows them", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const rewrites = only(handBack(core, core.takeOne("w1")), "rewrite-task");
    expect(rewrites).toMatchObject([{ reason: "latents-kept", task: { attempts: 0, latents } }]);

    const next = CoreDriver.leading();
    next.store({ ...buildTask(0), latents });

    expect(next.takeOne("w2").latents).toEqual(latents);
  });

  test("are forgotten after a failure: they may be what is wrong", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    handBack(core, core.takeOne("w1"));

    core.report("w2", core.takeOne("w2"), buildFailure("NAN_OUTPUT", FailureBlame.TASK));

    expect(core.takeOne("w3").latents).toBeUndefined();
  });

  test("of more steps replace those of fewer", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    handBack(core, core.takeOne("w1"));

    handBack(core, core.takeOne("w1"), { ...latents, step: 6 });

    expect(core.takeOne("w2").latents?.step).toBe(6);
  });
});

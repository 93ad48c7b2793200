import { type BrokerBounds, createMemoryFarm } from "@zfarm/broker";
import { type LoraId, limits } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { newVersion } from "../../test/builders.ts";
import { LoraRegistry } from "./lora-registry.ts";

function open(bounds: Partial<BrokerBounds> = {}) {
  const records = createMemoryFarm({ bounds }).connect().loras;
  return new LoraRegistry({ records, copies: undefined, clock: systemClock });
}

const named = (lora: string) => {
  const version = newVersion("0a".repeat(32));
  return { ...version, name: { ...version.name, lora: lora as LoraId } };
};

describe("the registry of adapters", () => {
  test("takes so many names of a project at most, and new versions of those", async () => {
    const registry = open();
    for (let count = 0; count < limits.projectLorasMax; count += 1) {
      await registry.add(named(`lora-${count}`));
    }

    const beyond = { code: "LORAS_FULL", message: expect.stringContaining("1000 adapters") };
    await expect(registry.check(named("ink"))).rejects.toMatchObject(beyond);
    await expect(registry.add(named("ink"))).rejects.toMatchObject(beyond);
    const second = { ...newVersion("0b".repeat(32)), name: named("lora-0").name };
    expect((await registry.add(second)).version.version).toBe("2");
  });

  test("says so where the farm has no room for more", async () => {
    const registry = open({ lorasMax: 1 });
    await registry.add(named("ink"));

    await expect(registry.add(named("oil"))).rejects.toMatchObject({ code: "LORAS_FULL" });
    expect(await registry.list(named("oil").name.project)).toHaveLength(1);
  });
});

import { defaultProject, type LoraId, type LoraName, type ProjectId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { codeOf, type OpenFarm, useFarm } from "./broker-farm.ts";
import { someLora } from "./broker-messages.ts";

const ink: LoraName = { project: defaultProject, lora: "ink" as LoraId };
const other = "other" as ProjectId;

/** The adapters of projects: one record for each name. */
export function defineLoraContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("adapters", () => {
    test("keep the newest record of a name, replaced only from the revision it is at", async () => {
      const { loras } = await (await start()).connect();
      const labels = new Map([["__proto__", "x"]]);
      const first = await loras.put(someLora(), 0n);

      expect(await loras.put(someLora({ pinned: true }), 0n)).toBe("conflict");
      const second = await loras.put(someLora({ labels }), first as bigint);
      expect(await loras.put(someLora(), first as bigint)).toBe("conflict");

      expect(await loras.find(ink)).toEqual({ record: someLora({ labels }), revision: second });
    });

    test("of another project are others, whatever their name", async () => {
      const { loras } = await (await start()).connect();
      await loras.put(someLora({ project: other }), 0n);

      expect(await loras.find(ink)).toBeUndefined();
      expect(await loras.list(defaultProject)).toEqual([]);
    });

    test("let exactly one of many concurrent writers of a name through", async () => {
      const farm = await start();
      const [one, two] = [await farm.connect(), await farm.connect()];

      const puts = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? one : two).loras.put(someLora({ displayName: `${index}` }), 0n),
        ),
      );

      expect(puts.filter((put) => put !== "conflict")).toHaveLength(1);
    });

    test("are listed by name, those of one project or all, as they are now", async () => {
      const { loras } = await (await start()).connect();
      await loras.put(someLora({ lora: "oil" }), 0n);
      const revision = await loras.put(someLora({ lora: "ink" }), 0n);
      await loras.put(someLora({ project: other, lora: "a" }), 0n);
      await loras.put(someLora({ lora: "ink", pinned: true }), revision as bigint);

      const own = (await loras.list(defaultProject)).map(({ record }) => record);
      expect(own).toEqual([someLora({ pinned: true }), someLora({ lora: "oil" })]);
      const all = (await loras.listAll()).map(({ record }) => `${record.project}/${record.lora}`);
      expect(all).toEqual(["default/ink", "default/oil", "other/a"]);
    });

    test("are removed at a revision, which leaves a newer record alone", async () => {
      const { loras } = await (await start()).connect();
      const first = (await loras.put(someLora(), 0n)) as bigint;
      const second = (await loras.put(someLora({ pinned: true }), first)) as bigint;

      await loras.remove(first);
      expect((await loras.find(ink))?.revision).toBe(second);
      await loras.remove(second);
      await loras.remove(second);

      expect(await loras.find(ink)).toBeUndefined();
      expect(await loras.list(defaultProject)).toEqual([]);
      expect(await loras.put(someLora(), 0n)).not.toBe("conflict");
    });

    test("are refused beyond their bound, while those that stand can still change", async () => {
      const { loras } = await (await start({ lorasMax: 1 })).connect();
      const revision = await loras.put(someLora(), 0n);

      expect(await codeOf(loras.put(someLora({ lora: "oil" }), 0n))).toBe("QUEUE_FULL");
      expect(await loras.put(someLora({ pinned: true }), revision as bigint)).not.toBe("conflict");
    });
  });
}

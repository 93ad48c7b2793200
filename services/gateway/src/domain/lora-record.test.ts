import { type LoraRecord, limits } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newVersion } from "../../test/builders.ts";
import { addVersion, deleteLora, deleteVersion, findVersion, loraView } from "./lora-record.ts";

const day = 24 * 3_600_000;

type Step =
  | { readonly kind: "add"; readonly sha256: string; readonly version: string | undefined }
  | { readonly kind: "delete"; readonly version: string | undefined };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    sha256: fc.constantFrom("a", "b", "c", "d"),
    version: fc.constantFrom(undefined, undefined, "1", "2", "v1"),
  }),
  fc.record({
    kind: fc.constant("delete" as const),
    version: fc.constantFrom(undefined, "1", "2", "3", "v1"),
  }),
);

function play(record: LoraRecord | undefined, each: Step, now: Date): LoraRecord | undefined {
  if (each.kind === "add") {
    const added = addVersion(record, newVersion(each.sha256, each.version), now);
    return added.kind === "added" ? added.record : record;
  }
  if (record === undefined || record.deleteTime !== undefined) return record;
  if (each.version === undefined) return deleteLora(record, now);
  const left = deleteVersion(record, each.version, now);
  return left === undefined || left === "needed" ? record : left;
}

describe("an adapter's record, whatever is done to it,", () => {
  test("never lets a version change its file, nor gives a number out twice", () => {
    const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const meanings = new Map<string, string>();
      let record: LoraRecord | undefined;
      for (const [at, each] of steps.entries()) {
        record = play(record, each, new Date(at * 1_000));
        for (const { version } of record?.versions ?? []) {
          const { version: id = "", sha256 = "" } = version ?? {};
          expect(meanings.get(id) ?? sha256).toBe(sha256);
          meanings.set(id, sha256);
        }
        const ids = record?.versions.map(({ version }) => version?.version) ?? [];
        expect(new Set(ids).size).toBe(ids.length);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("has a live version exactly while it is not deleted, and a name means a live one", () => {
    const property = fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      let record: LoraRecord | undefined;
      for (const [at, each] of steps.entries()) record = play(record, each, new Date(at * 1_000));
      if (record === undefined) return;
      const live = loraView(record, 1n).versions;
      expect(live.length > 0).toBe(record.deleteTime === undefined);
      expect(findVersion(record, undefined)?.version).toEqual(live.at(-1));
      for (const version of live) {
        expect(findVersion(record, version.version)?.version).toEqual(version);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe("versions", () => {
  const at = (days: number): Date => new Date(days * day);

  test("are remembered after their deletion as long as a retry may need them", () => {
    const two = play(
      play(undefined, { kind: "add", sha256: "a", version: "v1" }, at(0)),
      { kind: "add", sha256: "b", version: undefined },
      at(0),
    );
    const deleted = play(two, { kind: "delete", version: "v1" }, at(1));
    const again = newVersion("c", "v1");

    expect(addVersion(deleted, again, at(14)).kind).toBe("version-exists");
    expect(addVersion(deleted, again, at(16)).kind).toBe("added");
  });

  test("are so many at most, deleted ones included", () => {
    let record: LoraRecord | undefined;
    for (let count = 0; count < limits.loraVersionsMax; count += 1) {
      const added = addVersion(record, newVersion(`file-${count}`), at(0));
      record = added.kind === "added" ? added.record : undefined;
    }

    expect(addVersion(record, newVersion("one more"), at(0)).kind).toBe("versions-full");
    expect(addVersion(record, newVersion("file-0"), at(0)).kind).toBe("same");
  });
});

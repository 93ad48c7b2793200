import { FarmError, type ImageSpec, type LoraUse, limits, type PoolRecord } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { image, plainPool as pool } from "../../test/builders.ts";
import { type Draft, validateDraft } from "./validate-request.ts";

const at0 = { pool, nowMs: 0 };

const draft = (fields: Partial<Draft> = {}): Draft => ({
  parent: "",
  requestId: "",
  pool: "",
  displayName: "",
  images: [image()],
  kind: "images",
  ...fields,
});

function errorOf(request: Draft, record: PoolRecord | undefined = pool): FarmError {
  try {
    validateDraft(request, { pool: record, nowMs: 0 });
  } catch (error) {
    if (error instanceof FarmError) return error;
  }
  throw new FarmError("INTERNAL", "the draft was accepted");
}

const faults = (request: Draft) =>
  errorOf(request).violations.map(({ field, reason }) => `${field} ${reason}`);

describe("validateDraft", () => {
  test("fills in what was left open and keeps what was chosen", () => {
    const images = [image({ width: 0, steps: 0 }), image({ height: 0, seed: 7n })];

    const submission = validateDraft(draft({ images }), at0);

    expect(submission).toMatchObject({ project: "default", pool: "default" });
    expect(submission.images).toEqual([image(), image({ seed: 7n })]);
  });

  test.each<[string, Partial<Draft>, string[]]>([
    ["no pictures", { images: [] }, ["images REQUIRED"]],
    ["no picture", { images: [], kind: "image" }, ["image REQUIRED"]],
    [
      "a side off the grid",
      { images: [image({ width: 250 })] },
      ["images[0].width NOT_A_MULTIPLE"],
    ],
    ["a side too small", { images: [image({ height: 48 })] }, ["images[0].height OUT_OF_RANGE"]],
    ["too much area", one({ width: 1_040, height: 1_024 }), ["image.width AREA_TOO_LARGE"]],
    ["too tall", one({ width: 64, height: 272 }), ["image.height ASPECT_TOO_WIDE"]],
    [
      "too wide for the default",
      one({ width: 0, height: 1_040 }),
      ["image.height ASPECT_TOO_WIDE"],
    ],
    ["too many steps", one({ steps: 51 }), ["image.steps OUT_OF_RANGE"]],
  ])("names the field of %s", (_name, fields, expected) => {
    expect(faults(draft(fields))).toEqual(expected);
  });

  test("reports everything at once, and counts what it does not list", () => {
    const images = Array.from({ length: 20 }, () => image({ prompt: "", steps: 99 }));

    const error = errorOf(draft({ images, parent: "p", pool: "P", requestId: "#" }));

    expect(error.code).toBe("INVALID_REQUEST");
    expect(error.violations).toHaveLength(limits.violationsMax);
    expect(error.violations.slice(0, 4).map(({ field }) => field)).toEqual([
      "parent",
      "pool",
      "request_id",
      "images[0].prompt",
    ]);
    expect(error.message).toContain("and 42 more");
  });

  test("says that a pool is unknown only when nothing else is wrong", () => {
    expect(errorOf(draft({ images: [image({ steps: 99 })] }), undefined).code).toBe(
      "INVALID_REQUEST",
    );
    const unknown = () => validateDraft(draft(), { pool: undefined, nowMs: 0 });
    expect(unknown).toThrow(expect.objectContaining({ code: "NO_CAPABLE_POOL" }));
  });
});

function one(fields: Partial<ImageSpec>): Partial<Draft> {
  return { images: [image(fields)], kind: "image" };
}

const side = fc.constantFrom(0, 256, 272, 512, 640);
const validImage = fc.record({
  prompt: fc.stringMatching(/^[a-zA-Zа-я雪\u{1F431}][\w\n\t .,'{}$-]{0,60}$/u),
  width: side,
  height: side,
  steps: fc.integer({ min: 0, max: limits.stepsMax }),
  seed: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
  loras: fc.constant<LoraUse[]>([]),
});
const validDraft: fc.Arbitrary<Draft> = fc.record({
  parent: fc.constantFrom("", "projects/default", "projects/team-7"),
  requestId: fc.stringMatching(/^[A-Za-z0-9_-]{0,64}$/),
  pool: fc.constantFrom("", "default"),
  displayName: fc.constantFrom("", "my pictures", "Bilder für Ostern"),
  images: fc.array(validImage, { minLength: 1, maxLength: 4 }),
  kind: fc.constant("images" as const),
});

const badImages: [string, Partial<ImageSpec>][] = [
  ["prompt", { prompt: "a\u0000" }],
  ["width", { width: 63 }],
  ["width", { width: 257 }],
  ["height", { height: 2_049 }],
  ["steps", { steps: 51 }],
];
const badFields: [string, Partial<Draft>][] = [
  ["parent", { parent: "projects/Team" }],
  ["request_id", { requestId: "a b" }],
  ["pool", { pool: "*" }],
  ["display_name", { displayName: "a\nb" }],
];

describe("validateDraft, for any request", () => {
  test("accepts what was built to be valid", () => {
    fc.assert(
      fc.property(validDraft, (request) => {
        const { images } = validateDraft(request, at0);
        expect(images.map(({ prompt }) => prompt)).toEqual(
          request.images.map(({ prompt }) => prompt),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("reports exactly the one field of a picture that was broken", () => {
    const property = fc.property(
      validDraft,
      fc.constantFrom(...badImages),
      fc.nat(),
      (request, [field, broken], pick) => {
        const at = pick % request.images.length;
        const images = request.images.with(at, { ...image(), ...request.images[at], ...broken });
        const fields = errorOf({ ...request, images }).violations.map((each) => each.field);
        expect(fields).toEqual([`images[${at}].${field}`]);
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });

  test("reports exactly the one other field that was broken", () => {
    const property = fc.property(
      validDraft,
      fc.constantFrom(...badFields),
      (request, [field, broken]) => {
        const fields = errorOf({ ...request, ...broken }).violations.map((each) => each.field);
        expect(fields).toEqual([field]);
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });
});

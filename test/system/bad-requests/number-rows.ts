/** Numbers that are refused: sizes, steps and counts outside their bounds. */
import { type Guidance, type ImageSpec, ListTasksRequest } from "@zfarm/contract";
import {
  type BadRequest,
  badPicture,
  createBytes,
  image,
  invalid,
  methods,
  renderBytes,
} from "./row.ts";

const sides = ["width", "height"] as const;

/** Both sides have the same bounds; the other side is 256 unless given. */
const side = (value: number, reason: string, tells: string): BadRequest[] =>
  sides.map((field) =>
    badPicture(`${field} ${value}`, { [field]: value }, { field, reason, tells }),
  );

const pair = (
  size: readonly [width: number, height: number],
  field: keyof ImageSpec,
  reason: string,
): BadRequest =>
  badPicture(`size ${size.join(" x ")}`, { width: size[0], height: size[1] }, { field, reason });

const steps = (value: number): BadRequest =>
  badPicture(
    `steps ${value}`,
    { steps: value },
    { field: "steps", reason: "OUT_OF_RANGE", tells: "50" },
  );

/** Off, but for the fields given. */
function guidance(
  name: string,
  fields: Partial<Guidance>,
  ...[field, reason]: readonly [field: string, reason: string]
): BadRequest {
  const none = { scale: 0, negativePrompt: "", normalization: 0, truncation: undefined };
  return badPicture(`guidance ${name}`, { guidance: { ...none, ...fields } }, { field, reason });
}

export const numberRows: readonly BadRequest[] = [
  ...side(1, "OUT_OF_RANGE", "64 to 2048"),
  ...side(15, "OUT_OF_RANGE", "64 to 2048"),
  ...side(63, "OUT_OF_RANGE", "64 to 2048"),
  ...side(2_049, "OUT_OF_RANGE", "64 to 2048"),
  ...side(2_064, "OUT_OF_RANGE", "64 to 2048"),
  ...side(2 ** 31 - 1, "OUT_OF_RANGE", "64 to 2048"),
  ...side(2 ** 32 - 1, "OUT_OF_RANGE", "64 to 2048"),
  ...side(65, "NOT_A_MULTIPLE", "16"),
  ...side(255, "NOT_A_MULTIPLE", "16"),
  ...side(257, "NOT_A_MULTIPLE", "16"),
  pair([1_024, 1_040], "height", "AREA_TOO_LARGE"),
  pair([1_040, 1_024], "width", "AREA_TOO_LARGE"),
  pair([2_048, 2_048], "width", "AREA_TOO_LARGE"),
  pair([64, 272], "height", "ASPECT_TOO_WIDE"),
  pair([2_048, 256], "width", "ASPECT_TOO_WIDE"),
  pair([0, 64], "height", "ASPECT_TOO_WIDE"),
  pair([1_936, 0], "width", "ASPECT_TOO_WIDE"),
  steps(51),
  steps(1_000_000_000),
  steps(2 ** 32 - 1),
  guidance("of a distilled model", { scale: 4 }, "guidance", "UNSUPPORTED"),
  guidance("without a scale", { negativePrompt: "blurry" }, "guidance.scale", "REQUIRED"),
  guidance("below 0", { scale: -1 }, "guidance.scale", "OUT_OF_RANGE"),
  guidance("not a number", { scale: Number.NaN }, "guidance.scale", "OUT_OF_RANGE"),
  guidance("norms", { normalization: 10.5 }, "guidance.normalization", "OUT_OF_RANGE"),
  guidance("truncation", { truncation: 1.5 }, "guidance.truncation", "OUT_OF_RANGE"),
  {
    name: "no picture",
    method: methods.render,
    bytes: renderBytes({ image: undefined }),
    ...invalid(["image REQUIRED"]),
  },
  {
    name: "no pictures",
    method: methods.create,
    bytes: createBytes({ images: [] }),
    ...invalid(["images REQUIRED"]),
  },
  {
    name: "1,001 pictures",
    method: methods.create,
    bytes: createBytes({ images: Array.from({ length: 1_001 }, () => image()) }),
    ...invalid(["images TOO_MANY"]),
    tells: "1000",
  },
  {
    name: "two million empty pictures",
    method: methods.create,
    bytes: new Uint8Array(4_000_000).map((_, at) => (at % 2 === 0 ? 0x2a : 0)),
    ...invalid(["images TOO_MANY"]),
    tells: "1000",
  },
  {
    name: "the 1,000th of 1,000 pictures",
    method: methods.create,
    bytes: createBytes({
      images: Array.from({ length: 1_000 }, () => image()).with(999, image({ steps: 51 })),
    }),
    ...invalid(["images[999].steps OUT_OF_RANGE"]),
  },
  {
    name: "everything at once",
    method: methods.create,
    bytes: createBytes({
      parent: "projects/",
      requestId: "a b",
      pool: "Big",
      displayName: "\u0007",
      images: [image({ prompt: "", width: 65, height: 9, steps: 51 }), image({ width: 1 })],
    }),
    ...invalid([
      "parent BAD_NAME",
      "pool BAD_NAME",
      "request_id BAD_ID",
      "display_name CONTROL_CHARACTER",
      "images[0].prompt REQUIRED",
      "images[0].steps OUT_OF_RANGE",
      // Without a pool's record nobody knows its size multiple.
      "images[0].height OUT_OF_RANGE",
      "images[1].width OUT_OF_RANGE",
    ]),
  },
  {
    name: "more violations than an error holds",
    method: methods.create,
    bytes: createBytes({ images: Array.from({ length: 40 }, () => image({ steps: 51 })) }),
    ...invalid(Array.from({ length: 16 }, (_, at) => `images[${at}].steps OUT_OF_RANGE`)),
    tells: "and 39 more",
  },
  ...[1_001, 2 ** 32 - 1].map(
    (pageSize): BadRequest => ({
      name: `page size ${pageSize}`,
      method: methods.list,
      bytes: ListTasksRequest.encode({ parent: "", pageSize, pageToken: "" }).finish(),
      ...invalid(["page_size OUT_OF_RANGE"]),
      tells: "1000",
    }),
  ),
];

/** Requests about adapters that are refused, whatever their file. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  CheckLoraRequest,
  DeleteLoraRequest,
  GetLoraRequest,
  GetLoraResidencyRequest,
  ListLorasRequest,
  Lora,
  type LoraUse,
  PrefetchLoraRequest,
  UpdateLoraRequest,
  UploadLoraHeader,
  UploadLoraRequest,
} from "@zfarm/contract";
import {
  type BadRequest,
  createBytes,
  image,
  invalid,
  methods,
  renderBytes,
  secret,
} from "./row.ts";

const evilNames = [
  "",
  ".",
  "../x",
  "%2e%2e",
  "a/b",
  "/abs",
  "C:\\x",
  "a\u0000b",
  "a b",
  "a.",
  "x".repeat(64),
  "0a".repeat(32),
  "Upper",
  "\u0430bc",
  "\u{1F431}",
  "*",
  ">",
  "a\r\nPUB x 1\r\n",
  "ink@1",
];

const shown = (name: string): string => JSON.stringify(name.slice(0, 20));

/** A header that is fine but for the fields given; the file never comes. */
const header = (name: string, fields: Partial<UploadLoraHeader>, violation: string): BadRequest => {
  const value = UploadLoraHeader.create({ lora: "ink", displayName: secret, ...fields });
  return {
    name: `upload with ${name}`,
    method: methods.uploadLora,
    bytes: UploadLoraRequest.encode({ part: { $case: "header", value } }).finish(),
    ...invalid([violation]),
  };
};

const words = (count: number): string[] => Array.from({ length: count }, (_, at) => `w${at}`);
const labels = (count: number): Map<string, string> =>
  new Map(words(count).map((w) => [w, secret]));

const headers: readonly BadRequest[] = [
  ...evilNames.map((lora) => header(`the name ${shown(lora)}`, { lora }, "header.lora BAD_NAME")),
  ...["A", "-1", ".", "a b", "1/2", "x".repeat(33), "latest"].map((version) =>
    header(`the version ${shown(version)}`, { version }, "header.version BAD_NAME"),
  ),
  ...["0a", "0A".repeat(32), "g".repeat(64)].map((sha256) =>
    header(`the digest ${shown(sha256)}`, { sha256 }, "header.sha256 BAD_NAME"),
  ),
  header("a bad project", { parent: "projects/A" }, "header.parent BAD_NAME"),
  header("a bad pool", { pool: "a.*" }, "header.pool BAD_NAME"),
  header("a name of two lines", { displayName: "a\nb" }, "header.display_name CONTROL_CHARACTER"),
  header("a long name", { displayName: "x".repeat(129) }, "header.display_name TOO_LONG"),
  header("33 labels", { labels: labels(33) }, "header.labels TOO_MANY"),
  header("a bad label", { labels: new Map([["A", "b"]]) }, "header.labels BAD_NAME"),
  header(
    "a label's long value",
    { labels: new Map([["a", "x".repeat(129)]]) },
    "header.labels TOO_LONG",
  ),
  header(
    "the label __proto__",
    { labels: new Map([["__proto__", "b"]]) },
    "header.labels BAD_NAME",
  ),
  header("33 trigger words", { triggerWords: words(33) }, "header.trigger_words TOO_MANY"),
  header("no trigger word", { triggerWords: ["a", ""] }, "header.trigger_words[1] REQUIRED"),
  header(
    "an odd trigger word",
    { triggerWords: ["a\u202Eb"] },
    "header.trigger_words[0] BIDI_CONTROL",
  ),
  header(
    "a long trigger word",
    { triggerWords: ["x".repeat(129)] },
    "header.trigger_words[0] TOO_LONG",
  ),
  header("no file", {}, "chunk REQUIRED"),
];

const name = "projects/default/loras/ink";
const notFound = { code: "NOT_FOUND", reason: "LORA_NOT_FOUND", tells: "ink" } as const;

const update = (
  label: string,
  fields: Partial<Lora>,
  updateMask: string[],
): Pick<BadRequest, "name" | "method" | "bytes"> => ({
  name: `update of an adapter with ${label}`,
  method: methods.updateLora,
  bytes: UpdateLoraRequest.encode({ lora: Lora.create({ name, ...fields }), updateMask }).finish(),
});

const updates: readonly BadRequest[] = [
  { ...update("no mask", {}, []), ...invalid(["update_mask REQUIRED"]) },
  {
    ...update("17 paths", {}, Array<string>(17).fill("labels")),
    ...invalid(["update_mask TOO_MANY"]),
  },
  {
    ...update("an unknown path", {}, ["labels", "versions"]),
    ...invalid(["update_mask.paths[1] UNKNOWN_FIELD"]),
  },
  {
    ...update("a bad alias", { aliases: new Map([["A B", "1"]]) }, ["aliases"]),
    ...invalid(["lora.aliases BAD_NAME"]),
  },
  {
    ...update("33 aliases", { aliases: new Map(words(33).map((w) => [w, "1"])) }, ["aliases"]),
    ...invalid(["lora.aliases TOO_MANY"]),
  },
  { ...update("no name", { name: "" }, ["labels"]), ...invalid(["lora.name BAD_NAME"]) },
  { ...update("an unknown name", {}, ["labels"]), ...notFound },
];

const list = (label: string, fields: Partial<ListLorasRequest>, violation: string): BadRequest => ({
  name: `listing of adapters with ${label}`,
  method: methods.listLoras,
  bytes: ListLorasRequest.encode(ListLorasRequest.create(fields)).finish(),
  ...invalid([violation]),
});

/** A render whose picture names adapters as given. */
const uses = (label: string, loras: readonly LoraUse[], violation: string): BadRequest => ({
  name: `a picture with ${label}`,
  method: methods.render,
  bytes: renderBytes({ image: image({ loras: [...loras] }) }),
  ...invalid([`image.${violation}`]),
});

const weight = (value: number): BadRequest =>
  uses(`weight ${value}`, [{ lora: "ink", weight: value }], "loras[0].weight OUT_OF_RANGE");

/** RenderImageRequest{image{loras: empty, so many times}}. */
const flood = (count: number): Uint8Array => {
  const image = new BinaryWriter();
  for (let at = 0; at < count; at += 1) image.uint32(0x32).uint32(0);
  return new BinaryWriter().uint32(0x22).bytes(image.finish()).finish();
};

const pictures: readonly BadRequest[] = [
  ...evilNames
    .filter((lora) => !["0a".repeat(32), "ink@1"].includes(lora))
    .map((lora) => uses(`the adapter ${shown(lora)}`, [{ lora }], "loras[0].lora BAD_NAME")),
  ...["@", "ink@", "@1", "ink@A", "ink@1@2", "0A".repeat(32)].map((lora) =>
    uses(`the adapter ${lora}`, [{ lora }], "loras[0].lora BAD_NAME"),
  ),
  ...[Number.NaN, Infinity, -Infinity, 2.01, -2.01, 1e30].map(weight),
  uses("an adapter twice", [{ lora: "ink" }, { lora: "ink" }], "loras[1].lora DUPLICATE"),
  uses(
    "5 adapters",
    words(5).map((lora) => ({ lora })),
    "loras TOO_MANY",
  ),
  {
    name: "a picture with a million adapters",
    method: methods.render,
    bytes: flood(1_000_000),
    ...invalid(["image.loras TOO_MANY"]),
    tells: "at most 4",
  },
  {
    name: "a stream with a million adapters",
    method: methods.stream,
    bytes: flood(1_000_000),
    ...invalid(["image.loras TOO_MANY"]),
  },
  {
    name: "pictures of which one has 5 adapters",
    method: methods.create,
    bytes: createBytes({ images: [image(), image({ loras: words(5).map((lora) => ({ lora })) })] }),
    ...invalid(["images[1].loras TOO_MANY"]),
  },
  ...["ink", "ink@2", "0a".repeat(32)].map(
    (lora): BadRequest => ({
      name: `a picture with the unknown adapter ${lora}`,
      method: methods.render,
      bytes: renderBytes({ image: image({ loras: [{ lora }] }) }),
      code: "NOT_FOUND",
      reason: "LORA_NOT_FOUND",
      violations: ["image.loras[0].lora NOT_FOUND"],
      tells: lora,
    }),
  ),
  {
    name: "pictures with unknown adapters",
    method: methods.create,
    bytes: createBytes({
      images: [image({ loras: [{ lora: "ink" }] }), image({ loras: [{ lora: "oil" }] })],
    }),
    code: "NOT_FOUND",
    reason: "LORA_NOT_FOUND",
    violations: ["images[0].loras[0].lora NOT_FOUND", "images[1].loras[0].lora NOT_FOUND"],
  },
];

const prefetch = (
  label: string,
  fields: Partial<PrefetchLoraRequest>,
): Pick<BadRequest, "name" | "method" | "bytes"> => ({
  name: `prefetch of ${label}`,
  method: methods.prefetchLora,
  bytes: PrefetchLoraRequest.encode(
    PrefetchLoraRequest.create({ lora: "ink", ...fields }),
  ).finish(),
});

const residency = (
  label: string,
  fields: Partial<GetLoraResidencyRequest>,
): Pick<BadRequest, "name" | "method" | "bytes"> => ({
  name: `residency of ${label}`,
  method: methods.loraResidency,
  bytes: GetLoraResidencyRequest.encode(
    GetLoraResidencyRequest.create({ lora: "ink", ...fields }),
  ).finish(),
});

const places: readonly BadRequest[] = [
  { ...prefetch("no adapter", { lora: "" }), ...invalid(["lora BAD_NAME"]) },
  { ...prefetch("a bad project", { parent: "x" }), ...invalid(["parent BAD_NAME"]) },
  { ...prefetch("a bad pool", { pool: ">" }), ...invalid(["pool BAD_NAME"]) },
  { ...prefetch("1,001 workers", { workers: 1_001 }), ...invalid(["workers OUT_OF_RANGE"]) },
  { ...prefetch("an unknown adapter", {}), ...notFound },
  { ...residency("no adapter", { lora: "a b" }), ...invalid(["lora BAD_NAME"]) },
  { ...residency("a bad pool", { pool: "A" }), ...invalid(["pool BAD_NAME"]) },
  { ...residency("an unknown adapter", { lora: "ink@1" }), ...notFound },
];

export const loraRows: readonly BadRequest[] = [
  ...places,
  ...headers,
  ...pictures,
  {
    name: "an upload without a header",
    method: methods.uploadLora,
    bytes: UploadLoraRequest.encode({
      part: { $case: "chunk", value: Buffer.from(secret) },
    }).finish(),
    ...invalid(["header REQUIRED"]),
  },
  {
    name: "an upload of an empty message",
    method: methods.uploadLora,
    bytes: new Uint8Array(),
    ...invalid(["header REQUIRED"]),
  },
  {
    name: "an upload of no message",
    method: methods.uploadLora,
    bytes: Uint8Array.of(0x0a, 200, 0x61),
    ...invalid([" MALFORMED"]),
  },
  {
    name: "an upload for a pool that no worker ever served",
    method: methods.uploadLora,
    bytes: UploadLoraRequest.encode({
      part: { $case: "header", value: UploadLoraHeader.create({ lora: "ink", pool: "nobody" }) },
    }).finish(),
    code: "FAILED_PRECONDITION",
    reason: "NO_CAPABLE_POOL",
    tells: "nobody",
  },
  {
    name: "a check for a bad pool",
    method: methods.checkLora,
    bytes: CheckLoraRequest.encode({ part: { $case: "header", value: { pool: ">" } } }).finish(),
    ...invalid(["header.pool BAD_NAME"]),
  },
  {
    name: "a check of no file",
    method: methods.checkLora,
    bytes: CheckLoraRequest.encode({ part: { $case: "header", value: { pool: "" } } }).finish(),
    ...invalid(["chunk REQUIRED"]),
  },
  ...["", "ink", "projects/default/loras/", `${name}/versions/1`, "projects/*/loras/*"].map(
    (bad): BadRequest => ({
      name: `adapter ${JSON.stringify(bad)}`,
      method: methods.getLora,
      bytes: GetLoraRequest.encode({ name: bad }).finish(),
      ...invalid(["name BAD_NAME"]),
    }),
  ),
  {
    name: "get of an unknown adapter",
    method: methods.getLora,
    bytes: GetLoraRequest.encode({ name }).finish(),
    ...notFound,
  },
  list("a bad project", { parent: "default" }, "parent BAD_NAME"),
  list("a page of 1,001", { pageSize: 1_001 }, "page_size OUT_OF_RANGE"),
  list("a token that nobody made", { pageToken: "A" }, "page_token BAD_TOKEN"),
  list("a bad label", { labels: new Map([["A", "b"]]) }, "labels BAD_NAME"),
  ...updates,
  {
    name: "deletion of no name",
    method: methods.deleteLora,
    bytes: DeleteLoraRequest.encode({ name: `${name}/versions/`, etag: "" }).finish(),
    ...invalid(["name BAD_NAME"]),
  },
  {
    name: "deletion of an unknown adapter",
    method: methods.deleteLora,
    bytes: DeleteLoraRequest.encode({ name, etag: "" }).finish(),
    ...notFound,
  },
  {
    name: "deletion of an unknown version",
    method: methods.deleteLora,
    bytes: DeleteLoraRequest.encode({ name: `${name}/versions/1`, etag: "" }).finish(),
    ...notFound,
  },
];

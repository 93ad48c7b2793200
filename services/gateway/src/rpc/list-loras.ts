/** LoraService.ListLoras: a project's adapters by name, page by page. */
import type { StoredLora } from "@zfarm/broker";
import {
  ListLorasRequest,
  type ListLorasResponse,
  Lora,
  limits,
  parseLoraId,
} from "@zfarm/contract";
import { checkLabels } from "../domain/lora-about.ts";
import { loraView } from "../domain/lora-record.ts";
import { invalidField } from "../domain/violations.ts";
import { decodeRequest } from "./decode.ts";
import { readParent } from "./lora-lookup.ts";
import { readPageSize } from "./read-page-size.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const listLoras: UnaryMethod<ListLorasRequest, ListLorasResponse> = {
  name: "ListLoras",
  decode: (bytes) => decodeRequest(ListLorasRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, { registry }) => {
    const project = readParent(request.parent);
    const size = readPageSize(request.pageSize);
    checkFilter(request);
    const { labels, pageToken } = request;
    const found = (await registry.list(project)).filter(
      (stored) => stored.record.lora > pageToken && hasLabels(stored, labels),
    );
    const loras = pageOf(found, size);
    const last = found[loras.length - 1]?.record.lora ?? "";
    return { loras, nextPageToken: loras.length < found.length ? last : "" };
  },
};

/** The first ones: as many as were asked for and one answer can hold. */
function pageOf(found: readonly StoredLora[], size: number): Lora[] {
  const loras: Lora[] = [];
  let bytes = 0;
  for (const { record, revision } of found) {
    if (loras.length === size || bytes >= limits.pageBytesMax) break;
    const lora = loraView(record, revision);
    bytes += Lora.encode(lora).finish().length;
    loras.push(lora);
  }
  return loras;
}

function hasLabels({ record }: StoredLora, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([key, value]) => record.labels.get(key) === value);
}

/** The token of a page is the name of the adapter that ends the one before. */
function checkFilter({ pageToken, labels }: ListLorasRequest): void {
  if (pageToken !== "" && parseLoraId(pageToken) === undefined) {
    const description = "must be a next_page_token that a listing of adapters returned";
    throw invalidField("page_token", { reason: "BAD_TOKEN", description });
  }
  const fault = checkLabels(labels);
  if (fault !== undefined) throw invalidField("labels", fault);
}

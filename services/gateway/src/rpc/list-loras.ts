/** LoraService.ListLoras: a project's adapters by name, page by page. */
import type { StoredLora } from "@zfarm/broker";
import { ListLorasRequest, type ListLorasResponse, limits, parseLoraId } from "@zfarm/contract";
import { checkLabels } from "../domain/lora-about.ts";
import { loraView } from "../domain/lora-record.ts";
import { invalidField } from "../domain/violations.ts";
import { decodeRequest } from "./decode.ts";
import { readParent } from "./lora-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const listLoras: UnaryMethod<ListLorasRequest, ListLorasResponse> = {
  name: "ListLoras",
  decode: (bytes) => decodeRequest(ListLorasRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, { registry }) => {
    const project = readParent(request.parent);
    checkPage(request);
    const { labels, pageToken } = request;
    const size = request.pageSize === 0 ? limits.pageSizeDefault : request.pageSize;
    const found = (await registry.list(project)).filter(
      (stored) => stored.record.lora > pageToken && hasLabels(stored, labels),
    );
    const page = found.slice(0, size);
    return {
      loras: page.map(({ record, revision }) => loraView(record, revision)),
      nextPageToken: found.length > size ? (page.at(-1)?.record.lora ?? "") : "",
    };
  },
};

function hasLabels({ record }: StoredLora, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([key, value]) => record.labels.get(key) === value);
}

/** The token of a page is the name of the adapter that ends the one before. */
function checkPage({ pageSize, pageToken, labels }: ListLorasRequest): void {
  const max = limits.pageSizeMax;
  if (pageSize > max) {
    const bound = `1 to ${max}, or 0 for ${limits.pageSizeDefault}`;
    const description = `is ${pageSize}; allowed are ${bound}`;
    throw invalidField("page_size", { reason: "OUT_OF_RANGE", description });
  }
  if (pageToken !== "" && parseLoraId(pageToken) === undefined) {
    const description = "must be a next_page_token that a listing of adapters returned";
    throw invalidField("page_token", { reason: "BAD_TOKEN", description });
  }
  const fault = checkLabels(labels);
  if (fault !== undefined) throw invalidField("labels", fault);
}

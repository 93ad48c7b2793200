/** How many entries a page of a listing may have. */
import { limits } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";

/** INVALID_REQUEST beyond the bound; 0 takes the default. */
export function readPageSize(pageSize: number): number {
  const { pageSizeMax: max, pageSizeDefault } = limits;
  if (pageSize <= max) return pageSize === 0 ? pageSizeDefault : pageSize;
  const description = `is ${pageSize}; allowed are 1 to ${max}, or 0 for ${pageSizeDefault}`;
  throw invalidField("page_size", { reason: "OUT_OF_RANGE", description });
}

import { expect, test } from "vitest";
import { withLargePages } from "./large-pages.ts";

test("large pages are asked for, and the rest of the environment stays", () => {
  expect(withLargePages({ HOME: "/home" })).toEqual({
    HOME: "/home",
    GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
  });
});

test("other settings of the C library stay", () => {
  expect(withLargePages({ GLIBC_TUNABLES: "glibc.malloc.arena_max=2" })).toEqual({
    GLIBC_TUNABLES: "glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1",
  });
});

test("who has decided about large pages is not overruled", () => {
  const environment = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=0:glibc.malloc.arena_max=2" };

  expect(withLargePages(environment)).toEqual(environment);
});

/** Lets a child process hold its memory in large pages, which it cannot decide for itself. */
import type { Env } from "./env.ts";

const tunables = "GLIBC_TUNABLES";
const largePages = "glibc.malloc.hugetlb";

/**
 * The environment of a child that reads gigabytes over and over. The C library asks the kernel for
 * pages of 2 MB then, where the system gives them to those who ask; elsewhere nothing changes. What
 * is set already stays.
 */
export function withLargePages(environment: Env = inherited()): Env {
  const known = environment[tunables] ?? "";
  if (known.includes(largePages)) return environment;
  const wish = `${largePages}=1`;
  return { ...environment, [tunables]: known === "" ? wish : `${known}:${wish}` };
}

/** What a child gets when nobody says otherwise. */
function inherited(): Env {
  // oxlint-disable-next-line node/no-process-env -- handed on as it is, not read
  return process.env;
}

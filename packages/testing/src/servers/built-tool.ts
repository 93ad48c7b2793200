/** Finds programs that tests run and that are built from their Go modules. */
import { invariant } from "@zfarm/runtime";
import type { GoToolAtHand } from "../../../../tools/servers/go-tool.mjs";
import type { FoundServer } from "../../../../tools/servers/nats-server.mjs";

/**
 * The program, or undefined, said loudly, where this machine has none. Where CI is set and it could
 * have been built, the tests must run, so there it throws instead.
 * @param finder The name of the file in tools/servers that builds it.
 */
export async function findToolForTests(
  tool: GoToolAtHand,
  finder: string,
): Promise<FoundServer | undefined> {
  const found = await tool.find({ fetch: false });
  if (found !== undefined) return found;
  const command = `node tools/servers/${finder} --fetch`;
  const how = `no ${tool.title} found: run \`${command}\`, which needs Go`;
  invariant(!process.env["CI"] || !(await tool.canBuild()), how);
  process.stderr.write(`\n*** SKIPPED: tests with ${tool.title}. ${how} ***\n\n`);
  return undefined;
}

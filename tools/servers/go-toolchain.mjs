/** The Go that is installed here: which version it is, and how servers are built with it. */
import { runCommand } from "./run-command.mjs";
import { parseVersion } from "./versions.mjs";

const versionMs = 20_000;

/** The installed toolchain and no other, a plain static binary, nobody's own flags or workspace. */
export const goEnvironment = {
  GOTOOLCHAIN: "local",
  GOFLAGS: "",
  CGO_ENABLED: "0",
  GOWORK: "off",
};

/**
 * Go's version as numbers, undefined where there is no Go.
 * @returns {Promise<number[] | undefined>}
 */
export async function readGoVersion() {
  const options = { limitMs: versionMs, env: goEnvironment };
  return parseVersion(await runCommand("go", ["env", "GOVERSION"], options).catch(() => ""));
}

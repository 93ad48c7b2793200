/**
 * Finds the SeaweedFS that the chart brings as its object store, and builds it into the user's
 * cache where asked. It takes too long for every machine that runs the tests: `npm run test:store`
 * builds it. Also a command: `node tools/servers/seaweedfs.mjs [--fetch]`.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";

const module = "github.com/seaweedfs/seaweedfs";
/** Its release tags are not on the module proxy: go/seaweedfs/go.mod names this commit of 4.53. */
const commit = "7506e5f91cd6";

export const seaweedfs = goTool({
  name: "weed",
  title: "SeaweedFS",
  variable: "WEED_BIN",
  probeMs: 20_000,
  versionArgument: "version",
  // It prints `version 8000GB 4.53 7506e5f91cd6 linux amd64`.
  readVersion: (text) => /^version \S+ ([\d.]+ \w+)/m.exec(text)?.[1]?.replace(" ", "-"),
  version: `4.53-${commit}`,
  go: [1, 26],
  package: `${module}/weed`,
  wrapper: "seaweedfs",
  stamps: { [`${module}/weed/util/version.COMMIT`]: commit },
});

await runAsCommand(import.meta.url, seaweedfs.find);

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { userFolder } from "./user-folder.ts";

test("users of one machine have folders of their own", () => {
  expect(userFolder("zfarm-uploads")).toMatch(/zfarm-uploads-\d+$/);
});

test.runIf(process.getuid?.() === 0)("a user without a name has one too", async () => {
  const module = JSON.stringify(new URL("user-folder.ts", import.meta.url));
  const script = `import(${module}).then(({ userFolder }) => console.log(userFolder("x")))`;
  const as = { uid: 54_321, gid: 54_321, cwd: "/", env: { TMPDIR: "/tmp" } };
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", script], as);
  expect(stdout.trim()).toBe("/tmp/x-54321");
});

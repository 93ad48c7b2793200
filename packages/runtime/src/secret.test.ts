import { inspect } from "node:util";
import { expect, test } from "vitest";
import { createLog } from "./log.ts";
import { Secret } from "./secret.ts";

test.each([
  ["JSON", (secret: Secret) => JSON.stringify({ secret })],
  ["a template", (secret: Secret) => `${String(secret)}`],
  ["inspect", (secret: Secret) => inspect({ deep: { secret } }, { showHidden: true })],
  ["its own keys", (secret: Secret) => JSON.stringify(Object.entries(secret))],
])("a secret never shows in %s", (_name, show) => {
  expect(show(new Secret("hunter2"))).not.toContain("hunter2");
});

test("a secret never shows in a log line, not even inside a config or an error", () => {
  const lines: string[] = [];
  const log = createLog({
    name: "test",
    level: "debug",
    destination: { write: (line) => lines.push(line) },
  });
  const config = { key: new Secret("hunter2") };

  log.info({ config, error: Object.assign(new Error("refused"), config) }, "config was read");

  expect(lines.join("")).toContain("[secret]");
  expect(lines.join("")).not.toContain("hunter2");
});

test("a secret reveals its value to whoever asks for it", () => {
  expect(new Secret("hunter2").reveal()).toBe("hunter2");
});

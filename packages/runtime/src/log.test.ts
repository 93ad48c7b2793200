import { expect, test } from "vitest";
import { createLog, type LogLevel } from "./log.ts";

function capture(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line));
  return { lines, log: createLog({ name: "gateway", level, destination: { write } }) };
}

test("a line is one JSON object with level, time, app, message and its fields", () => {
  const { lines, log } = capture("info");

  log.child({ part: "server" }).warn({ job_id: "j1" }, "job was refused");

  expect(lines).toEqual([
    {
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      app: "gateway",
      part: "server",
      job_id: "j1",
      message: "job was refused",
    },
  ]);
});

test("an error keeps its type, text, code and cause", () => {
  const { lines, log } = capture("info");
  const cause = new Error("connection refused");
  const error = Object.assign(new TypeError("no broker", { cause }), { code: "E1" });

  log.error({ error }, "app failed");

  const text = "no broker: connection refused";
  expect(lines[0]?.["error"]).toMatchObject({ type: "TypeError", message: text, code: "E1" });
});

test("lines below the level are not written", () => {
  const { lines, log } = capture("warn");

  log.debug({}, "a");
  log.info({}, "b");
  log.warn({}, "c");

  expect(lines.map((line) => line["message"])).toEqual(["c"]);
});

test("the level silent writes nothing", () => {
  const { lines, log } = capture("silent");

  log.error({}, "a");

  expect(lines).toEqual([]);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError, type Env, EnvReader } from "./env.ts";

/** The problems that reading this way finds; empty when there are none. */
function problemsOf(env: Env, read: (reader: EnvReader) => unknown): readonly string[] {
  const reader = new EnvReader(env);
  read(reader);
  try {
    reader.finish();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("EnvReader", () => {
  test("reads what is set", () => {
    const env = { A: " text ", B: "-3", C: "true", D: "blue", E: "nats://host:4222" };
    const reader = new EnvReader(env);

    const config = [
      reader.text("A"),
      reader.integer("B", { min: -5, max: 5 }),
      reader.boolean("C", false),
      reader.choice("D", ["red", "blue"], "red"),
      reader.url("E", { schemes: ["nats", "tls"] }),
    ];

    reader.finish();
    expect(config).toEqual(["text", -3, true, "blue", "nats://host:4222"]);
  });

  test("takes the default where a variable is unset or empty", () => {
    const reader = new EnvReader({ B: "", C: " " });

    const config = [
      reader.text("A", { default: "x" }),
      reader.integer("B", { default: 7, min: 0, max: 9 }),
      reader.boolean("C", true),
      reader.choice("D", ["red", "blue"], "red"),
      reader.url("E", { default: "http://localhost", schemes: ["http"] }),
      reader.optionalText("F"),
    ];

    reader.finish();
    expect(config).toEqual(["x", 7, true, "red", "http://localhost", undefined]);
  });

  test("tells all problems at once, each with name, rule and value", () => {
    const env = { B: "12", C: "maybe", D: "green", E: "ftp://host" };

    const problems = problemsOf(env, (reader) => {
      reader.text("A");
      reader.integer("B", { min: 0, max: 9 });
      reader.boolean("C", true);
      reader.choice("D", ["red", "blue"], "red");
      reader.url("E", { schemes: ["http", "https"] });
      reader.problem("A and B exclude each other");
    });

    expect(problems).toEqual([
      "A is not set",
      'B must be a whole number 0 to 9, got "12"',
      'C must be true, false, 1 or 0, got "maybe"',
      'D must be one of red, blue, got "green"',
      'E must be a URL http:// or https://..., got "ftp://host"',
      "A and B exclude each other",
    ]);
  });

  test.each(["1.5", "1e3", "0x10", "9007199254740993", "ten", "--1", "1 2"])(
    "%s is no whole number",
    (value) => {
      const read = (reader: EnvReader) => reader.integer("N", { min: 0, max: 2 ** 53 });
      expect(problemsOf({ N: value }, read)).toHaveLength(1);
    },
  );

  test("a text must match its pattern", () => {
    const rule = { pattern: /^[a-z]+$/, rule: "lower-case letters" };

    const problems = problemsOf({ A: "Ab" }, (reader) => reader.text("A", rule));

    expect(problems).toEqual(['A must be lower-case letters, got "Ab"']);
  });

  test("an error text shows no password of a URL and no endless value", () => {
    const env = { A: "nats://me:hunter2@host", B: "x".repeat(10_000) };

    const text = problemsOf(env, (reader) => {
      reader.url("A", { schemes: ["http"] });
      reader.integer("B", { min: 0, max: 9 });
    }).join("\n");

    expect(text).toContain("nats://***@host");
    expect(text).not.toContain("hunter2");
    expect(text.length).toBeLessThan(400);
  });
});

describe("EnvReader.secret", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "zfarm-env-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test("comes from the variable or from the file that NAME_FILE names", () => {
    const path = join(folder, "key");
    writeFileSync(path, "from-file\n");
    const reader = new EnvReader({ A: "from-env", B_FILE: path });

    const secrets = [reader.secret("A").reveal(), reader.secret("B").reveal()];

    reader.finish();
    expect(secrets).toEqual(["from-env", "from-file"]);
    expect([reader.has("A"), reader.has("B"), reader.has("C")]).toEqual([true, true, false]);
  });

  test("refuses both at once, neither, an empty file and one that is not there", () => {
    const empty = join(folder, "empty");
    writeFileSync(empty, "\n");
    const gone = join(folder, "gone");
    const env = { A: "hunter2", A_FILE: empty, C_FILE: empty, D_FILE: gone };

    const problems = problemsOf(env, (reader) => {
      for (const name of ["A", "B", "C", "D"]) reader.secret(name);
    });

    expect(problems).toEqual([
      "A and A_FILE are both set; keep one",
      "B (or B_FILE) is not set",
      `C_FILE names an empty file: ${empty}`,
      `D_FILE cannot be read (ENOENT): ${gone}`,
    ]);
  });
});

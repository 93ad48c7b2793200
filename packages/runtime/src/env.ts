/**
 * Reads configuration from environment variables. Problems are collected, so an operator sees
 * all of them in one go; a reader's answer means nothing until `finish` has returned.
 */
import { readFileSync } from "node:fs";
import { Secret } from "./secret.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** Everything wrong with the configuration, one sentence each. The process exits with 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

export interface TextOptions {
  readonly default?: string;
  /** What the value must match, and the same in words. */
  readonly pattern?: RegExp;
  readonly rule?: string;
}

export interface IntegerOptions {
  readonly default?: number;
  readonly min: number;
  readonly max: number;
}

export interface UrlOptions {
  readonly default?: string;
  /** Allowed schemes without the colon, for example ["http", "https"]. */
  readonly schemes: readonly string[];
}

/** Characters of a refused value that an error text repeats. */
const echoCharsMax = 80;

/** An empty variable counts as unset: charts and shells cannot always leave one out. */
export class EnvReader {
  readonly #env: Env;
  readonly #problems: string[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  /** True where the variable, or its _FILE twin, holds something. */
  has(name: string): boolean {
    return this.#raw(name) !== undefined || this.#raw(`${name}_FILE`) !== undefined;
  }

  /** Any text; required unless there is a default. */
  text(name: string, options: TextOptions = {}): string {
    const value = this.#raw(name) ?? options.default;
    if (value === undefined) return this.#refuse(`${name} is not set`, "");
    if (options.pattern !== undefined && !options.pattern.test(value)) {
      const rule = options.rule ?? `text matching ${options.pattern.source}`;
      return this.#refuse(`${name} must be ${rule}, got ${echo(value)}`, value);
    }
    return value;
  }

  /** Text that may be left out altogether. */
  optionalText(name: string, options: Omit<TextOptions, "default"> = {}): string | undefined {
    return this.#raw(name) === undefined ? undefined : this.text(name, options);
  }

  integer(name: string, options: IntegerOptions): number {
    const { min, max } = options;
    const raw = this.#raw(name);
    if (raw === undefined) {
      return options.default ?? this.#refuse(`${name} is not set (${min} to ${max})`, min);
    }
    const value = /^-?\d{1,15}$/.test(raw) ? Number(raw) : Number.NaN;
    if (!(value >= min && value <= max)) {
      return this.#refuse(`${name} must be a whole number ${min} to ${max}, got ${echo(raw)}`, min);
    }
    return value;
  }

  boolean(name: string, defaultValue: boolean): boolean {
    const raw = this.#raw(name);
    if (raw === undefined) return defaultValue;
    if (raw === "true" || raw === "1") return true;
    if (raw === "false" || raw === "0") return false;
    return this.#refuse(`${name} must be true, false, 1 or 0, got ${echo(raw)}`, defaultValue);
  }

  choice<const Value extends string>(
    name: string,
    values: readonly Value[],
    defaultValue: NoInfer<Value>,
  ): Value {
    const raw = this.#raw(name);
    if (raw === undefined) return defaultValue;
    const value = values.find((candidate) => candidate === raw);
    const refusal = `${name} must be one of ${values.join(", ")}, got ${echo(raw)}`;
    return value ?? this.#refuse(refusal, defaultValue);
  }

  /** An absolute URL with one of the schemes, as written. */
  url(name: string, options: UrlOptions): string {
    const value = this.#raw(name) ?? options.default;
    if (value === undefined) return this.#refuse(`${name} is not set`, "");
    const scheme = URL.canParse(value) ? new URL(value).protocol.slice(0, -1) : undefined;
    if (scheme === undefined || !options.schemes.includes(scheme)) {
      const schemes = options.schemes.map((each) => `${each}://`).join(" or ");
      return this.#refuse(`${name} must be a URL ${schemes}..., got ${echo(value)}`, value);
    }
    return value;
  }

  /** A secret from NAME or from the file that NAME_FILE names; error texts never hold it. */
  secret(name: string): Secret {
    const nothing = new Secret("");
    const direct = this.#raw(name);
    const path = this.#raw(`${name}_FILE`);
    if (direct !== undefined && path !== undefined) {
      return this.#refuse(`${name} and ${name}_FILE are both set; keep one`, nothing);
    }
    if (direct !== undefined) return new Secret(direct);
    if (path === undefined) return this.#refuse(`${name} (or ${name}_FILE) is not set`, nothing);
    return this.#secretFrom(`${name}_FILE`, path) ?? nothing;
  }

  /** Adds what only the caller can see, for example two values that exclude each other. */
  problem(text: string): void {
    this.#problems.push(text);
  }

  /** Throws ConfigError with every problem found so far. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  #raw(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === "" ? undefined : value;
  }

  /** Notes the problem and gives the reader something to go on with until `finish`. */
  #refuse<Value>(problem: string, standIn: Value): Value {
    this.#problems.push(problem);
    return standIn;
  }

  #secretFrom(variable: string, path: string): Secret | undefined {
    try {
      const value = readFileSync(path, "utf8").trim();
      if (value !== "") return new Secret(value);
      this.#problems.push(`${variable} names an empty file: ${path}`);
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      this.#problems.push(`${variable} cannot be read (${reason}): ${path}`);
    }
    return undefined;
  }
}

/** The value as an error text may show it: short, and without the password of a URL. */
function echo(value: string): string {
  const safe = value.replace(/\/\/[^/@\s]*@/g, "//***@");
  const short = safe.length > echoCharsMax ? `${safe.slice(0, echoCharsMax)}...` : safe;
  return JSON.stringify(short);
}

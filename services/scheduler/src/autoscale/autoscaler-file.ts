/**
 * Reads the autoscaler's file. Strict: what is not known, or out of bounds, is a problem that names
 * the field, the value and the bound; all of them are found in one go.
 */
import { limits, nameRule, type PoolId, parsePoolId } from "@zfarm/contract";
import { defaultGoals, type PoolGoals } from "../domain/autoscale/pool-goals.ts";

export interface PoolSetup {
  /** Name of what is scaled: a Deployment. */
  readonly target: string;
  readonly goals: PoolGoals;
}

export interface AutoscalerFile {
  readonly tickMs: number;
  /** Devices of all pools together; absent: no bound but the pools' own. */
  readonly gpuBudget?: number;
  readonly pools: ReadonlyMap<PoolId, PoolSetup>;
}

export const noFile: AutoscalerFile = {
  tickMs: limits.autoscaleTickSecondsDefault * 1_000,
  pools: new Map(),
};

type Note = (problem: string) => void;

/** What Kubernetes takes for the name of a Deployment. */
const targetPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const targetRule = "1 to 63 of a-z 0-9 -, not starting or ending with -";

export function parseAutoscalerFile(text: string, note: Note): AutoscalerFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    note(`is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    return noFile;
  }
  const root = Fields.of(json, "the file", note);
  if (root === undefined) return noFile;
  const tickSeconds = root.integer("tickSeconds", {
    default: limits.autoscaleTickSecondsDefault,
    min: 1,
    max: limits.autoscaleTickSecondsMax,
  });
  const hasBudget = root.has("gpuBudget");
  const gpuBudget = root.integer("gpuBudget", { default: 1, min: 1, max: limits.autoscaleGpusMax });
  const pools = readPools(root, note);
  root.finish();
  return { tickMs: tickSeconds * 1_000, pools, ...(hasBudget && { gpuBudget }) };
}

function readPools(root: Fields, note: Note): Map<PoolId, PoolSetup> {
  const pools = new Map<PoolId, PoolSetup>();
  const table = root.table("pools");
  for (const name of table?.names ?? []) {
    const id = parsePoolId(name);
    if (id === undefined) note(`pools: a pool's name must be ${nameRule}, got ${echo(name)}`);
    const fields = table?.table(name);
    if (id !== undefined && fields !== undefined) pools.set(id, readPool(fields));
  }
  if (pools.size > limits.autoscalePoolsMax) {
    note(`pools must be at most ${limits.autoscalePoolsMax}, got ${pools.size}`);
  }
  const targets = [...pools.values()].map(({ target }) => target).filter((name) => name !== "");
  const twice = targets.find((target, place) => targets.indexOf(target) !== place);
  if (twice !== undefined) note(`pools: two of them have the target ${echo(twice)}`);
  return pools;
}

function readPool(fields: Fields): PoolSetup {
  const workers = { min: 0, max: limits.workersMax };
  const target = fields.text("target", targetPattern, targetRule);
  const min = fields.integer("min", { ...workers, default: defaultGoals.min });
  const max = fields.integer("max", { ...workers, min, default: Math.max(min, defaultGoals.max) });
  const warm = fields.integer("warm", {
    ...workers,
    max,
    default: Math.min(max, defaultGoals.warm),
  });
  const goals: PoolGoals = {
    min,
    max,
    warm,
    gpusPerWorker: fields.integer("gpusPerWorker", {
      default: defaultGoals.gpusPerWorker,
      min: 1,
      max: limits.autoscaleGpusPerWorkerMax,
    }),
    startWithinMs: readTargets(fields),
    idleToZeroMs:
      1_000 *
      fields.integer("idleSecondsToZero", {
        default: limits.autoscaleIdleSecondsDefault,
        min: 0,
        max: limits.autoscaleIdleSecondsMax,
      }),
    holdMs:
      1_000 *
      fields.integer("holdSeconds", {
        default: defaultGoals.holdMs / 1_000,
        min: 0,
        max: limits.autoscaleHoldSecondsMax,
      }),
    weight: fields.integer("weight", {
      default: defaultGoals.weight,
      min: 1,
      max: limits.autoscaleWeightMax,
    }),
  };
  fields.finish();
  return { target, goals };
}

function readTargets(fields: Fields): PoolGoals["startWithinMs"] {
  const seconds = { min: 1, max: limits.autoscaleStartSecondsMax };
  const own = fields.table("startWithinSeconds");
  const read = (name: keyof PoolGoals["startWithinMs"]): number => {
    const byDefault = defaultGoals.startWithinMs[name];
    if (own === undefined) return byDefault;
    return own.integer(name, { ...seconds, default: byDefault / 1_000 }) * 1_000;
  };
  const targets = {
    interactive: read("interactive"),
    standard: read("standard"),
    batch: read("batch"),
  };
  own?.finish();
  return targets;
}

/** The fields of one object of the file; those that nobody asked for are problems. */
class Fields {
  readonly #path: string;
  readonly #values: Map<string, unknown>;
  readonly #note: Note;
  readonly #asked = new Set<string>();

  constructor(path: string, values: object, note: Note) {
    this.#path = path;
    this.#values = new Map(Object.entries(values));
    this.#note = note;
  }

  static of(value: unknown, path: string, note: Note): Fields | undefined {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject) return new Fields(path === "the file" ? "" : `${path}.`, value, note);
    note(`${path} must be an object, got ${echo(value)}`);
    return undefined;
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  integer(name: string, bounds: { default: number; min: number; max: number }): number {
    const value = this.#take(name);
    if (value === undefined) return bounds.default;
    const { min, max } = bounds;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    this.#note(`${this.#path}${name} must be a whole number ${min} to ${max}, got ${echo(value)}`);
    return bounds.default;
  }

  text(name: string, pattern: RegExp, rule: string): string {
    const value = this.#take(name);
    if (typeof value === "string" && pattern.test(value)) return value;
    const got = value === undefined ? "is not set" : `must be ${rule}, got ${echo(value)}`;
    this.#note(`${this.#path}${name} ${got}`);
    return "";
  }

  table(name: string): Fields | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : Fields.of(value, this.#path + name, this.#note);
  }

  finish(): void {
    for (const name of this.#values.keys()) {
      if (this.#asked.has(name)) continue;
      const known = [...this.#asked].join(", ");
      this.#note(`${this.#path}${name} is not known; known are ${known}`);
    }
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return this.#values.get(name);
  }
}

/** The value as an error text may show it. */
function echo(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

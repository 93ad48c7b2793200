/**
 * What a task will cost, in milliseconds of device time: learnt for each pool, shape and state of
 * the adapters; for a shape that the pool has not drawn yet, from its pixels and steps and from
 * what the pool needed for a million pixels and one step of others.
 */
import { limits, type PoolId } from "@zfarm/contract";
import { RobustEstimate } from "./robust-estimate.ts";
import type { LoraState } from "./shelf.ts";

export interface CostKey {
  readonly pool: PoolId;
  /** As `shapeOf` writes it. */
  readonly shape: string;
  readonly lora: LoraState;
}

type Estimates = Partial<Record<LoraState, RobustEstimate>>;

interface PoolCosts {
  /** Milliseconds of each shape, the one learnt longest ago first. */
  readonly shapes: Map<string, Estimates>;
  /** Milliseconds of a million pixels and one step. */
  readonly unit: Estimates;
  /** Milliseconds of whatever the pool drew. */
  typical: RobustEstimate | undefined;
}

const states: readonly LoraState[] = ["none", "warm", "cold"];

export class CostModel {
  /** Only pools that have drawn something. */
  readonly #pools = new Map<PoolId, PoolCosts>();
  /** Of the shape asked for last: tasks of one shape come one after the other. */
  #lastWork = { shape: "", work: 1 };

  /** Milliseconds of device time that one such task will take. */
  predict(key: CostKey): number {
    const costs = this.#pools.get(key.pool);
    const shape = costs?.shapes.get(key.shape);
    const known = shape?.[key.lora];
    if (known !== undefined) return known.value;
    const unit = costs?.unit ?? {};
    const near = shape === undefined ? undefined : anyOf(shape);
    if (near !== undefined) return clamp(near.value * ratioOf(unit, key.lora, near.state));
    const perUnit = (unit[key.lora] ?? anyOf(unit))?.value ?? limits.costMsPerMegapixelStep;
    return clamp(this.#workOf(key.shape) * perUnit);
  }

  /** Milliseconds of device time that a task of the pool takes, whatever its shape. */
  typical(pool: PoolId): number {
    return this.#pools.get(pool)?.typical?.value ?? limits.costDefaultMs;
  }

  /**
   * How many times longer than predicted one task of 20 takes, at least 1: what takes much longer
   * than that is no bad luck.
   */
  spread({ pool, shape, lora }: CostKey): number {
    const known = this.#pools.get(pool)?.shapes.get(shape);
    const spread = known?.[lora]?.spread;
    return spread ?? limits.costSpreadDefault;
  }

  /**
   * Takes the device time of a finished task. Returns how wrong the prediction was, as
   * |actual - predicted| / predicted.
   */
  learn(key: CostKey, actualMs: number): number {
    const actual = clamp(actualMs);
    const predicted = this.predict(key);
    const costs = this.#open(key.pool);
    const work = this.#workOf(key.shape);
    const shape = costs.shapes.get(key.shape) ?? {};
    // The first value of a pool is all there is to know; a guess of ours must not weigh against it.
    const guess = anyOf(costs.unit) === undefined ? actual : predicted;
    shape[key.lora] ??= new RobustEstimate(guess);
    shape[key.lora]?.learn(actual);
    costs.unit[key.lora] ??= new RobustEstimate(guess / work);
    costs.unit[key.lora]?.learn(actual / work);
    costs.typical ??= new RobustEstimate(actual);
    costs.typical.learn(actual);
    costs.shapes.delete(key.shape);
    costs.shapes.set(key.shape, shape);
    for (const oldest of costs.shapes.keys()) {
      if (costs.shapes.size <= limits.costShapesMax) break;
      costs.shapes.delete(oldest);
    }
    return Math.abs(actual - predicted) / predicted;
  }

  #workOf(shape: string): number {
    if (shape !== this.#lastWork.shape) this.#lastWork = { shape, work: workOf(shape) };
    return this.#lastWork.work;
  }

  #open(pool: PoolId): PoolCosts {
    let costs = this.#pools.get(pool);
    if (costs === undefined) {
      costs = { shapes: new Map(), unit: {}, typical: undefined };
      this.#pools.set(pool, costs);
    }
    return costs;
  }
}

/** The first state for which something is known. */
function anyOf(estimates: Estimates): { state: LoraState; value: number } | undefined {
  for (const state of states) {
    const value = estimates[state]?.value;
    if (value !== undefined) return { state, value };
  }
  return undefined;
}

/** What one state costs over another, as far as the pool has taught it by other shapes. */
function ratioOf(unit: Estimates, wanted: LoraState, known: LoraState): number {
  const [above, below] = [unit[wanted]?.value, unit[known]?.value];
  return above === undefined || below === undefined ? 1 : above / below;
}

/**
 * Millions of pixels times runs of the model. A shape of another form counts like a picture of a
 * megapixel.
 */
function workOf(shape: string): number {
  const [width, height, steps, runs = 1] = shape.split("x").map(Number);
  const work = ((width ?? 0) * (height ?? 0) * (steps ?? 0) * runs) / 1e6;
  return work > 0 ? work : 1;
}

/** What is no number counts as nothing. */
function clamp(ms: number): number {
  return Math.min(Math.max(ms || 0, limits.costMsMin), limits.costMsMax);
}

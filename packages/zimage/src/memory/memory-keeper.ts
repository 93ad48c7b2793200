/** The memory plan of an open model: refuses what cannot fit, and learns from what did not. */
import { ModelError } from "../errors.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import {
  learn,
  learnedAfter,
  type MemoryBudget,
  type MemoryPlan,
  type PictureSize,
  planMemory,
} from "./memory-plan.ts";
import { rowsOf } from "./network-bytes.ts";

export interface PictureAsk extends Pick<PictureSize, "width" | "height" | "tokens"> {
  /** Rows that share the transformer's run with the picture's own, these included. */
  readonly runRows?: number;
}

export class MemoryKeeper {
  readonly #model: ModelDirectory;
  #budget: MemoryBudget;

  /** @param lessons pictures that ran out of memory before. */
  constructor(model: ModelDirectory, budget: Omit<MemoryBudget, "learned">, lessons = 0) {
    this.#model = model;
    this.#budget = { ...budget, learned: learnedAfter(lessons) };
  }

  /** Throws MEMORY_EXCEEDED with the numbers when there is no way to draw the picture. */
  plan(ask: PictureAsk): MemoryPlan & { readonly fits: true } {
    const plan = this.#planFor(ask);
    if (plan.fits) return plan;
    const size = `a picture of ${ask.width}x${ask.height} with ${ask.tokens} tokens`;
    const numbers = `needs ${inGigabytes(plan.needBytes)}, ${inGigabytes(plan.bytes)} are there`;
    throw new ModelError("MEMORY_EXCEEDED", `${size} ${numbers}`, { field: "width" });
  }

  /** The largest area of a square that fits with this many tokens; 0 when none does. */
  pixelsMax(bounds: { readonly side: number; readonly multiple: number; readonly tokens: number }) {
    const { multiple, tokens } = bounds;
    for (let side = bounds.side; side >= multiple; side -= multiple) {
      if (this.#planFor({ width: side, height: side, tokens }).fits) return side * side;
    }
    return 0;
  }

  /** Runs something; when memory runs out under it, later plans take more for the same. */
  async watch<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ModelError && error.code === "MEMORY_EXCEEDED") this.#learn();
      throw error;
    }
  }

  #planFor(ask: PictureAsk): MemoryPlan {
    const own = rowsOf(this.#model, ask, ask.tokens);
    return planMemory(this.#budget, { ...ask, rows: Math.max(own, ask.runRows ?? 0) });
  }

  #learn(): void {
    const learned = learn(this.#budget.learned);
    if (learned !== undefined) this.#budget = { ...this.#budget, learned };
  }
}

function inGigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

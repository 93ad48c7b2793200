/**
 * Draws a list of pictures with a pipeline's primitives: groups them, runs their steps, stops
 * early.
 */

import type { Pixels } from "../image/pixels.ts";
import { invariant } from "../invariant.ts";
import type { ActiveRender, Pipeline, RenderOptions } from "./pipeline.ts";
import type { RenderSpec } from "./render-spec.ts";
import { promptsOf } from "./render-spec.ts";

/** Pictures in one step: more take memory without going faster. */
const batchMax = 8;

type Primitives = Pick<Pipeline, "check" | "encodePrompts" | "start" | "step" | "decode">;

/** Pictures in the order of their specs; see `Pipeline.renderBatch`. */
export async function renderSpecs(
  pipeline: Primitives,
  specs: readonly RenderSpec[],
  options: RenderOptions,
): Promise<Pixels[]> {
  for (const spec of specs) pipeline.check(spec);
  options.signal?.throwIfAborted();
  const prompts = [...new Set(specs.flatMap(promptsOf))];
  const captions = new Map(
    (await pipeline.encodePrompts(prompts)).map((caption) => [caption.prompt, caption]),
  );
  const { loras = [] } = options;
  const run = { signal: options.signal, progress: countSteps(specs, options.onStep) };
  const pictures = new Map<number, Pixels>();
  for (const group of groupBySize(specs)) {
    const batch = group.map((at) => {
      const spec = specs[at];
      invariant(spec !== undefined, "groups hold indices of specs");
      const [caption, negative] = promptsOf(spec).map((prompt) => captions.get(prompt));
      invariant(caption !== undefined, "every prompt has a caption");
      return pipeline.start(spec, caption, { loras, negative });
    });
    await runSteps(pipeline, batch, run);
    for (const [place, pixels] of (await pipeline.decode(batch)).entries()) {
      pictures.set(group[place] ?? 0, pixels);
    }
  }
  return specs.flatMap((_, at) => pictures.get(at) ?? []);
}

interface Run {
  readonly signal: AbortSignal | undefined;
  /** Told how many steps were just done. */
  readonly progress: (count: number) => void;
}

/** Pictures with fewer steps leave the batch when they are done. */
async function runSteps(
  pipeline: Primitives,
  batch: readonly ActiveRender[],
  run: Run,
): Promise<void> {
  let active = batch;
  while (active.length > 0) {
    run.signal?.throwIfAborted();
    await pipeline.step(active);
    run.progress(active.length);
    active = active.filter((one) => one.stepsDone < one.spec.steps);
  }
  run.signal?.throwIfAborted();
}

function countSteps(
  specs: readonly RenderSpec[],
  onStep: RenderOptions["onStep"],
): (count: number) => void {
  const total = specs.reduce((sum, spec) => sum + spec.steps, 0);
  let done = 0;
  return (count) => {
    done += count;
    onStep?.(done, total);
  };
}

/** Indices of specs that may run together, at most `batchMax` in one group. */
function groupBySize(specs: readonly RenderSpec[]): number[][] {
  const bySize = Map.groupBy(specs.keys(), (at) => `${specs[at]?.width}x${specs[at]?.height}`);
  return [...bySize.values()].flatMap((indices) => {
    const count = Math.ceil(indices.length / batchMax);
    return Array.from({ length: count }, (_, group) =>
      indices.slice(group * batchMax, (group + 1) * batchMax),
    );
  });
}

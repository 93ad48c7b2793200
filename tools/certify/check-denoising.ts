/**
 * Compares the transformer: each step on the reference's own inputs, then all steps by ourselves,
 * alone and in a batch.
 */
import type { Caption, Denoising, Transformer } from "@zfarm/zimage";
import { denoiseStep, isDone, modelTime, openTransformer, sigmaTable } from "@zfarm/zimage";
import { equalBound } from "./bounds.ts";
import type { Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { compareBits, compareTensors } from "./compare.ts";
import { captionOf, type Drawing, latentSize, type Recording, startDrawing } from "./drawing.ts";
import type { Setting } from "./setting.ts";

export interface DenoisingCheck {
  readonly drawings: readonly Drawing[];
  readonly recordings: readonly Recording[];
  /** The reference's caption rows and our own, by text. */
  readonly theirs: ReadonlyMap<string, Caption>;
  readonly ours: ReadonlyMap<string, Caption>;
}

export interface CheckedDenoising {
  readonly lines: readonly Line[];
  /** Our final latents by drawing. */
  readonly latents: ReadonlyMap<string, Float32Array>;
}

export async function checkDenoising(
  setting: Setting,
  check: DenoisingCheck,
): Promise<CheckedDenoising> {
  const { config, tensors } = setting.model.transformer;
  const transformer = await openTransformer(config, tensors, setting.options);
  try {
    const lines: Line[] = [];
    for (const recording of check.recordings) {
      lines.push(...(await checkSteps(transformer, recording, { setting, check })));
    }
    const traces = new Map<string, Float32Array[]>();
    for (const drawing of check.drawings) {
      traces.set(drawing.name, await drawAlone(transformer, drawing, { setting, check }));
    }
    lines.push(...(await checkTraces(traces, check.recordings, setting)));
    const latents = new Map([...traces].map(([name, trace]) => [name, lastOf(trace)]));
    lines.push(...(await checkBatches(transformer, latents, { setting, check })));
    return { lines, latents };
  } finally {
    await transformer.close();
  }
}

interface Context {
  readonly setting: Setting;
  readonly check: DenoisingCheck;
}

async function checkSteps(
  transformer: Transformer,
  recording: Recording,
  { setting, check }: Context,
): Promise<Line[]> {
  const { spec, loras } = recording.drawing;
  const { latentHeight: height, latentWidth: width } = latentSize(spec, setting.model);
  const sigmas = sigmaTable(spec.steps, setting.model.scheduler.shift);
  const caption = captionOf(check.theirs, spec.name);
  const lines: Line[] = [];
  for (let step = 0; step < spec.steps; step += 1) {
    const [ours = new Float32Array()] = await transformer.predict({
      latents: [await recording.before(step)],
      height,
      width,
      captions: [caption],
      times: [modelTime(sigmas[step] ?? 0)],
      loras: [loras],
    });
    const measured = compareTensors(ours, await recording.output(step));
    const about = { mode: setting.mode, ...recording.about, step: step + 1 };
    const bound = setting.bounds.component;
    lines.push(judge({ ...about, part: "transformer", measured, bound }));
  }
  return lines;
}

/** Latents after each step, with nothing from the reference. */
async function drawAlone(
  transformer: Transformer,
  drawing: Drawing,
  { setting, check }: Context,
): Promise<Float32Array[]> {
  const one = startDrawing(drawing, check.ours, setting.model);
  const trace: Float32Array[] = [];
  while (!isDone(one)) {
    await denoiseStep(transformer, [one]);
    trace.push(one.latents.slice());
  }
  return trace;
}

async function checkTraces(
  traces: ReadonlyMap<string, readonly Float32Array[]>,
  recordings: readonly Recording[],
  { mode, bounds }: Setting,
): Promise<Line[]> {
  const lines: Line[] = [];
  for (const recording of recordings) {
    const trace = traces.get(recording.drawing.name) ?? [];
    for (const [step, ours] of trace.entries()) {
      const measured = compareTensors(ours, await recording.after(step));
      const about = { mode, ...recording.about, step: step + 1 };
      lines.push(judge({ ...about, part: "latents", measured, bound: bounds.latents }));
    }
  }
  return lines;
}

/**
 * All drawings of one size in one batch, whatever their captions and adapters. They join one step
 * after the other, so that every run has several noise levels.
 */
async function checkBatches(
  transformer: Transformer,
  alone: ReadonlyMap<string, Float32Array>,
  { setting, check }: Context,
): Promise<Line[]> {
  const lines: Line[] = [];
  const sizes = Map.groupBy(check.drawings, ({ spec }) => `${spec.width}x${spec.height}`);
  for (const drawings of sizes.values()) {
    if (drawings.length === 1) continue;
    const waiting = drawings.map((drawing) => startDrawing(drawing, check.ours, setting.model));
    const together = [...waiting];
    let active: Denoising[] = [];
    while (waiting.length > 0 || active.length > 0) {
      active = [...active, ...waiting.splice(0, 1)];
      await denoiseStep(transformer, active);
      active = active.filter((one) => !isDone(one));
    }
    for (const [at, { name }] of drawings.entries()) {
      const ours = together[at]?.latents ?? new Float32Array();
      const measured = compareBits(ours, alone.get(name) ?? new Float32Array());
      const about = { mode: setting.mode, subject: name };
      lines.push(judge({ ...about, part: "batch", measured, bound: equalBound }));
    }
  }
  return lines;
}

function lastOf(trace: readonly Float32Array[]): Float32Array {
  return trace.at(-1) ?? new Float32Array();
}

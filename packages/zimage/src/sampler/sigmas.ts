/** Noise levels of the denoise steps: FlowMatchEulerDiscreteScheduler with a static shift. */
import { invariant } from "../invariant.ts";

/** Steps of one picture; more do not help a distilled model. */
export const stepsMax = 50;

const trainSteps = 1000;

/**
 * The noise levels before each of `steps` steps and the 0 after the last: `steps + 1` values,
 * float32, from 1 downwards. One level is one run of the model; diffusers before 0.39 spread the
 * levels to 0 and wasted the last run, so its 9 steps are 8 steps here.
 */
export function sigmaTable(steps: number, shift: number): Float32Array {
  invariant(steps >= 1 && steps <= stepsMax, `${steps} steps; 1 to ${stepsMax}`);
  const sigmas = new Float32Array(steps + 1);
  for (let step = 0; step < steps; step += 1) {
    const even = Math.fround(1 - step / steps);
    const below = Math.fround(1 + Math.fround((shift - 1) * even));
    sigmas[step] = Math.fround(shift * even) / below;
  }
  return sigmas;
}

/** The model's time at a noise level: 0 is pure noise, 1 is clean; float32. */
export function modelTime(sigma: number): number {
  const timestep = Math.fround(trainSteps * sigma);
  return Math.fround(Math.fround(trainSteps - timestep) / trainSteps);
}

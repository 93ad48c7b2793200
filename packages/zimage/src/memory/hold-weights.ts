/** Decides at the start how an open model's weights are held and what may be open at once. */
import { ModelError } from "../errors.ts";
import { countParameters } from "../model/count-parameters.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import {
  chooseWeights,
  modesOf,
  type WeightDevice,
  type WeightMode,
} from "../model/weight-choice.ts";
import type { OpenAtOnce } from "../networks/open-networks.ts";

export interface HeldWeights {
  readonly mode: WeightMode;
  /** What may be open at once, the preferred first. */
  readonly open: readonly [OpenAtOnce, ...OpenAtOnce[]];
}

export interface HoldOptions {
  readonly device: WeightDevice;
  readonly memoryBytes: number;
  /** Absent: the table chooses. */
  readonly mode?: WeightMode | undefined;
}

/**
 * MEMORY_EXCEEDED with the numbers when nothing that the directory runs as fits; INPUT_INVALID for
 * a mode that it would have to be prepared for.
 */
export function holdWeights(model: ModelDirectory, options: HoldOptions): HeldWeights {
  const { transformer, textEncoder, vae } = countParameters(model);
  const { device, memoryBytes } = options;
  const stored = modesOf(model.stored);
  const parameters = {
    transformer: transformer.used,
    textEncoder: textEncoder.used,
    vae: vae.used,
  };
  const { rows, chosen } = chooseWeights({ device, memoryBytes, parameters, stored });
  const mode = options.mode ?? chosen?.mode;
  if (mode !== undefined && !stored.includes(mode)) {
    const message = `weights is ${mode}; this directory runs as ${stored.join(" or ")}`;
    throw new ModelError("INPUT_INVALID", message, { field: "weights" });
  }
  if (mode !== undefined && !rows.some((one) => one.mode === mode)) {
    const message = `weights is ${mode}; ${device} runs ${rows.map((one) => one.mode).join(", ")}`;
    throw new ModelError("INPUT_INVALID", message, { field: "weights" });
  }
  const row = rows.find((one) => one.mode === mode);
  if (mode === undefined || row === undefined || row.fits === "no") {
    const least = Math.min(
      ...rows.filter(({ isStored }) => isStored).map(({ inTurnBytes }) => inTurnBytes),
    );
    const need = row?.inTurnBytes ?? least;
    const numbers = `${(need / 1e9).toFixed(1)} GB, ${(memoryBytes / 1e9).toFixed(1)} GB`;
    const message = `model ${model.name} needs ${numbers} are there`;
    throw new ModelError("MEMORY_EXCEEDED", message, { field: "memoryBytes" });
  }
  return { mode, open: row.fits === "together" ? ["all", "two", "one"] : ["two", "one"] };
}

/** Says in words how weights would be held on this machine, from the table of the model library. */
import { loraMemoryBytesOf, loraRamBytesOf } from "@zfarm/contract";
import type {
  ModelDirectory,
  ParameterCounts,
  WeightChoice,
  WeightMode,
  WeightRow,
} from "@zfarm/zimage";
import {
  chooseWeights,
  countParameters,
  machineBytes,
  machineMemoryBytes,
  modesOf,
} from "@zfarm/zimage";

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** What a picture reads of each network. */
export function parametersOf(model: ModelDirectory): ParameterCounts {
  const { transformer, textEncoder, vae } = countParameters(model);
  return { transformer: transformer.used, textEncoder: textEncoder.used, vae: vae.used };
}

/** What a worker with the default settings gives to its model here, in bytes. */
export function workerMemoryBytes(): number {
  return machineMemoryBytes(loraMemoryBytesOf(loraRamBytesOf(machineBytes())));
}

export function chooseForCpu(model: ModelDirectory, memoryBytes: number): WeightChoice {
  return chooseWeights({
    device: "cpu",
    memoryBytes,
    parameters: parametersOf(model),
    stored: modesOf(model.stored),
  });
}

type NamedModel = { readonly directory: string } & Pick<ModelDirectory, "prepared">;

/** One sentence: how the directory runs here, and what would be better. */
export function explainChoice(
  { chosen, better }: WeightChoice,
  memoryBytes: number,
  model: NamedModel,
): string {
  const room = `of ${gibibytes(memoryBytes)}`;
  const wayThere = better && `better: ${wayTo(better.mode, model)} (${needOf(better)} ${room})`;
  const now = chosen === undefined ? "none" : `${chosen.mode}, ${needOf(chosen)} ${room}`;
  if (wayThere !== undefined) return `${now}; ${wayThere}`;
  return chosen === undefined ? `nothing fits into ${gibibytes(memoryBytes)}` : now;
}

/** What to do for a mode that the directory does not run as. */
function wayTo(mode: WeightMode, { directory, prepared }: NamedModel): string {
  // What is prepared already cannot be prepared again.
  const source = prepared === undefined ? directory : `what ${directory} was made from`;
  // Every model that was not prepared runs in float32.
  return mode === "fp32"
    ? `${source} as it is, in fp32`
    : `zfarm model prepare ${source} --weights ${mode}`;
}

function needOf({ fits, togetherBytes, inTurnBytes }: WeightRow): string {
  return fits === "together"
    ? gibibytes(togetherBytes)
    : `${gibibytes(inTurnBytes)} with the text encoder released in between,`;
}

/** Over the rows of `describeRows`; "in turn": with the text encoder released in between. */
export const weightHeadings = ["weights", "together", "in turn", "on this machine", "stored"];

/** The rows of the table for one device: mode, need, verdict. */
export function describeRows({ rows }: WeightChoice): string[][] {
  return rows.map(({ mode, togetherBytes, inTurnBytes, fits, isStored }) => [
    mode,
    gibibytes(togetherBytes),
    gibibytes(inTurnBytes),
    fits === "no" ? "does not fit" : `fits ${fits}`,
    isStored ? "as it is" : "to be prepared",
  ]);
}

/** What cards of the usual sizes hold: how much is free on one is only known where it is. */
const cardsGib = [8, 12, 16, 24] as const;

/** One line: the preferred weights of each size of card. */
export function describeCards(parameters: ParameterCounts): string {
  return cardsGib
    .map((gib) => {
      const memoryBytes = gib * 2 ** 30;
      const { rows } = chooseWeights({ device: "cuda", memoryBytes, parameters, stored: [] });
      const best = rows.find(({ fits }) => fits !== "no");
      return `${gib} GiB ${best === undefined ? "too small" : best.mode}`;
    })
    .join(", ");
}

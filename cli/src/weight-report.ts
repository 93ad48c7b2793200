/** Says in words how weights would be held on this machine, from the table of the model library. */
import { loraMemoryBytesOf, loraRamBytesOf } from "@zfarm/contract";
import type { ModelDirectory, ParameterCounts, WeightChoice, WeightRow } from "@zfarm/zimage";
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

/** One sentence: how the directory runs here, and what would be better. */
export function explainChoice(
  { chosen, better }: WeightChoice,
  memoryBytes: number,
  { directory, prepared }: { readonly directory: string } & Pick<ModelDirectory, "prepared">,
): string {
  const room = `of ${gibibytes(memoryBytes)}`;
  // What is prepared already cannot be prepared again.
  const source = prepared === undefined ? directory : `what ${directory} was made from`;
  const prepare = better && `zfarm model prepare ${source} --weights ${better.mode}`;
  const best = better === undefined ? "" : `; better: ${prepare} (${needOf(better)} ${room})`;
  if (chosen !== undefined) return `${chosen.mode}, ${needOf(chosen)} ${room}${best}`;
  return better === undefined ? `nothing fits into ${gibibytes(memoryBytes)}` : `none${best}`;
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

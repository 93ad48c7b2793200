/** Decides whether a pool can draw with the adapters that a picture asks for. */
import type { LoraArchitecture, LoraStack, PoolRecord } from "@zfarm/contract";

/** Why no worker of the pool could ever draw with the stack, or undefined where one could. */
export function stackProblem(
  stack: LoraStack | undefined,
  { pool, rankBudget }: PoolRecord,
): string | undefined {
  const adapters = stack?.adapters ?? [];
  if (adapters.length === 0) return undefined;
  if (rankBudget === undefined) return `pool ${pool} draws with the bare model only`;
  const rank = adapters.reduce((sum, adapter) => sum + adapter.rank, 0);
  if (rank <= rankBudget) return undefined;
  return `the adapters have rank ${rank} together; pool ${pool} takes ${rankBudget}`;
}

/** Why the pool could not take an adapter that was checked against a model, or undefined. */
export function adapterProblem(
  name: string,
  checked: LoraArchitecture | undefined,
  { pool, loraArchitecture: own }: PoolRecord,
): string | undefined {
  const isSame =
    checked !== undefined &&
    own !== undefined &&
    checked.dim === own.dim &&
    checked.layers === own.layers &&
    checked.refinerLayers === own.refinerLayers &&
    checked.ffnDim === own.ffnDim &&
    checked.modulationDim === own.modulationDim;
  return isSame ? undefined : `adapter ${name} is for another model than that of pool ${pool}`;
}

/**
 * Every name under which a file may speak of the model's modules. Names with underscores are looked
 * up among those of real modules: turning underscores into dots would break `to_q` and its like.
 */
import type { LinearSpec } from "../graph/linear.ts";
import { type LoraArchitecture, loraTargetsOf } from "./architecture.ts";

/** A Linear as files have it: one of the model's modules, or several of them laid end to end. */
export interface FileModule {
  readonly name: string;
  readonly in: number;
  readonly out: number;
  /** The model's modules behind it, in the order of its outputs. */
  readonly targets: readonly LinearSpec[];
}

/** By name, dotted and with underscores, in the layout of diffusers and in that of ComfyUI. */
export function fileModulesOf(architecture: LoraArchitecture): ReadonlyMap<string, FileModule> {
  const targets = loraTargetsOf(architecture);
  const byName = new Map(targets.map((target) => [target.name, target]));
  const modules = targets.flatMap((target) => [
    toFileModule(target.name, [target]),
    ...comfyModules(target, byName),
  ]);
  return new Map(
    modules.flatMap((module) => [
      [module.name, module],
      [module.name.replaceAll(".", "_"), module],
    ]),
  );
}

/** ComfyUI keeps queries, keys and values in one Linear and calls the output projection `out`. */
function comfyModules(
  target: LinearSpec,
  byName: ReadonlyMap<string, LinearSpec>,
): readonly FileModule[] {
  const [, attention = "", kind] = /^(.*\.attention)\.(to_q|to_out\.0)$/.exec(target.name) ?? [];
  if (kind === "to_out.0") return [toFileModule(`${attention}.out`, [target])];
  if (kind !== "to_q") return [];
  const parts = ["to_q", "to_k", "to_v"].flatMap(
    (name) => byName.get(`${attention}.${name}`) ?? [],
  );
  return [toFileModule(`${attention}.qkv`, parts)];
}

function toFileModule(name: string, targets: readonly LinearSpec[]): FileModule {
  const out = targets.reduce((sum, target) => sum + target.out, 0);
  return { name, in: targets[0]?.in ?? 0, out, targets };
}

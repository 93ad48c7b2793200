/** Brings the tensors of a file together by module, or refuses the file by what does not fit. */
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import { refuseUnmatched } from "./look-alike.ts";
import type { FileModule } from "./module-names.ts";
import { type LoraDialect, type LoraKey, type LoraPart, parseKey } from "./parse-key.ts";
import { refuseLora } from "./refuse.ts";

export interface ModuleTensors {
  readonly module: FileModule;
  readonly parts: ReadonlyMap<LoraPart, HeaderTensor>;
}

export interface GroupedTensors {
  readonly modules: readonly ModuleTensors[];
  readonly dialect: LoraDialect;
  /** Modules of the model that the file names, counted once for each time they are named. */
  readonly modulesPresent: number;
  readonly warnings: readonly string[];
}

/** Every tensor finds its module, or LORA_INVALID names those that do not. */
export function groupKeys(
  tensors: readonly HeaderTensor[],
  known: ReadonlyMap<string, FileModule>,
): GroupedTensors {
  const groups = new Map<FileModule, Map<LoraPart, HeaderTensor>>();
  const keys: LoraKey[] = [];
  const unmatched: string[] = [];
  for (const tensor of tensors) {
    const key = parseKey(tensor.name);
    const module = key === undefined ? undefined : known.get(key.module);
    if (key === undefined || module === undefined) {
      unmatched.push(tensor.name);
      continue;
    }
    keys.push(key);
    const parts = groups.get(module) ?? new Map<LoraPart, HeaderTensor>();
    groups.set(module, parts);
    refuseDuplicate(parts.get(key.part), tensor);
    parts.set(key.part, tensor);
  }
  if (unmatched.length > 0) {
    refuseUnmatched({ names: unmatched, total: tensors.length, width: foreignWidth(groups) });
  }
  if (groups.size === 0) refuseLora("tensors", "are none: the file holds no adapter");
  const all = [...groups].map(([module, parts]): ModuleTensors => ({ module, parts }));
  return {
    ...dropDuplicates(all),
    dialect: dialectOf(keys, all),
    modulesPresent: all.reduce((sum, { module }) => sum + module.targets.length, 0),
  };
}

/** The width of a factor that does not fit its module, which tells what model a file is for. */
function foreignWidth(groups: ReadonlyMap<FileModule, ModuleTensors["parts"]>): number | undefined {
  for (const [module, parts] of groups) {
    const width = parts.get("down")?.shape[1];
    if (width !== undefined && width !== module.in) return width;
  }
  return undefined;
}

function refuseDuplicate(known: HeaderTensor | undefined, tensor: HeaderTensor): void {
  if (known === undefined) return;
  refuseLora(tensor.name, `updates what ${known.name} updates already; a module may come once`);
}

function dialectOf(keys: readonly LoraKey[], modules: readonly ModuleTensors[]): LoraDialect {
  const dialects = new Set(keys.map(({ dialect }) => dialect));
  const [dialect = "mixed"] = dialects;
  const layouts = new Set(modules.map(({ module }) => isComfyName(module)));
  if (dialects.size > 1 || (layouts.has(true) && hasSplitAttention(modules))) return "mixed";
  if (layouts.has(true)) return "comfyui";
  const isKronecker = keys.some(({ part }) => part.startsWith("w"));
  return isKronecker && dialect === "ai-toolkit" ? "ai-toolkit-lokr" : dialect;
}

/** Whether the name stands for other modules than the model's own of that name. */
function isComfyName({ name, targets }: FileModule): boolean {
  return targets[0]?.name !== name;
}

function hasSplitAttention(modules: readonly ModuleTensors[]): boolean {
  return modules.some(({ module }) => /\.attention\.to_/.test(module.name));
}

/**
 * Some trainers export an attention in both layouts. The model's own names win where they cover the
 * other's whole; where they cover a part, nobody can tell what was meant.
 */
function dropDuplicates(
  modules: readonly ModuleTensors[],
): Pick<GroupedTensors, "modules" | "warnings"> {
  const own = new Set(
    modules.filter(({ module }) => !isComfyName(module)).map(({ module }) => module.name),
  );
  const kept: ModuleTensors[] = [];
  let dropped = 0;
  for (const tensors of modules) {
    const { module } = tensors;
    const twice = isComfyName(module) ? module.targets.filter(({ name }) => own.has(name)) : [];
    if (twice.length === 0) {
      kept.push(tensors);
    } else if (twice.length === module.targets.length) {
      dropped += 1;
    } else {
      refuseLora(module.name, `is there beside ${twice.map(({ name }) => name).join()}: ambiguous`);
    }
  }
  const warning = `${dropped} modules come fused and split; the fused ones were skipped`;
  return { modules: kept, warnings: dropped === 0 ? [] : [warning] };
}

/** How adapters are named on the command line, parsed and bounded. */
import {
  defaultProject,
  type LoraUse,
  limits,
  loraName,
  nameRule,
  parseLoraId,
  parseLoraName,
  parseLoraUse,
  parseLoraVersionName,
  parseProjectId,
} from "@zfarm/contract";
import { UsageError } from "./usage-error.ts";

/** `NAME`, `NAME@VERSION` or a SHA-256, each with `:WEIGHT` behind it where it is not 1. */
export function parseUse(text: string): LoraUse {
  const [, lora = "", weightText] = /^([^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (parseLoraUse(lora) === undefined) {
    const forms = "NAME, NAME@VERSION or a SHA-256, with :WEIGHT behind it or not";
    throw new UsageError(`--lora ${text}: must be ${forms}; a name is ${nameRule}`);
  }
  if (weightText === undefined) return { lora };
  const weight = /^[-+]?(\d+\.?\d*|\.\d+)$/.test(weightText) ? Number(weightText) : Number.NaN;
  const max = limits.loraWeightMax;
  if (Math.abs(weight) <= max) return { lora, weight };
  throw new UsageError(`--lora ${text}: the weight must be a number from -${max} to ${max}`);
}

export function parseUses(texts: readonly string[] = []): LoraUse[] {
  const max = limits.imageLorasMax;
  if (texts.length <= max) return texts.map(parseUse);
  throw new UsageError(`--lora comes ${texts.length} times: a picture takes at most ${max}`);
}

/** The full name of an adapter, or of one version where that may be: NAME@VERSION. */
export function fullLoraName(text: string, project: string | undefined, takesVersion = false) {
  if (takesVersion ? parseLoraVersionName(text) : parseLoraName(text)) return text;
  const [bare = "", version] = text.split("@");
  const lora = parseLoraId(bare);
  if (lora !== undefined && (version === undefined || takesVersion)) {
    const name = loraName({ project: parseProject(project), lora });
    const full = version === undefined ? name : `${name}/versions/${version}`;
    if (parseLoraVersionName(full) !== undefined) return full;
  }
  const forms = takesVersion ? "NAME or NAME@VERSION" : "NAME";
  throw new UsageError(`lora ${text}: must be ${forms}; a name is ${nameRule}`);
}

/** The default project where none is named. */
export function parseProject(text: string | undefined) {
  const project = text === undefined ? defaultProject : parseProjectId(text);
  if (project !== undefined) return project;
  throw new UsageError(`--project ${text}: must be ${nameRule}`);
}

/** `KEY=VALUE`, each key once. */
export function parsePairs(option: string, texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`${option} ${text}: must be KEY=VALUE`);
  });
  const keys = new Set(pairs.map(([key]) => key));
  if (keys.size === pairs.length) return Object.fromEntries(pairs);
  throw new UsageError(`${option}: a key comes twice`);
}

/**
 * Finds the three files of ComfyUI's layout by what they hold, whatever they are called: the
 * folders of that program are full of other models.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { ModelError } from "../errors.ts";
import type { SafetensorsHeader } from "../weights/safetensors-header.ts";
import { readSafetensorsHeader } from "../weights/safetensors-header.ts";
import { translateTextEncoder, translateTransformer } from "./comfyui-names.ts";

export interface SingleFiles {
  readonly transformer: string;
  readonly textEncoder: string;
  readonly vae: string;
}

/** Where ComfyUI and its download pages put the three, and the folder itself. */
export const singleFileFolders: readonly string[] = [
  "diffusion_models",
  "unet",
  "checkpoints",
  "text_encoders",
  "clip",
  "vae",
];
const places = ["", "split_files"].flatMap((root) =>
  ["", ...singleFileFolders].map((folder) => join(root, folder)),
);

/** Headers of more files are not read. */
const filesMax = 256;

type Part = keyof SingleFiles;

interface Candidate {
  readonly path: string;
  readonly part: Part;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * Undefined when no file below `folder` is a Z-Image transformer. MODEL_INVALID when one of the
 * other two is missing, or when several files could be meant.
 *
 * @param transformer picks one of several.
 */
export async function findSingleFiles(
  folder: string,
  transformer?: string,
): Promise<SingleFiles | undefined> {
  const { candidates, unreadable } = await readCandidates(folder);
  const transformers = candidates
    .filter(({ part }) => part === "transformer")
    .filter(({ path }) => transformer === undefined || basename(path) === basename(transformer));
  if (transformers.length === 0) return undefined;
  const chosen = pickOne(transformers, { folder, part: "transformer", unreadable });
  const fitting = candidates.filter((one) => fits(one, chosen));
  const pick = (part: Part): string => {
    const found = fitting.filter((one) => one.part === part);
    return pickOne(found, { folder, part, unreadable }).path;
  };
  return { transformer: chosen.path, textEncoder: pick("textEncoder"), vae: pick("vae") };
}

interface Found {
  readonly candidates: readonly Candidate[];
  /** Why files were passed over; a missing part may be among them. */
  readonly unreadable: readonly string[];
}

async function readCandidates(folder: string): Promise<Found> {
  const candidates: Candidate[] = [];
  const unreadable: string[] = [];
  for (const path of await listFiles(folder)) {
    try {
      const candidate = classify(path, await readSafetensorsHeader(path));
      if (candidate !== undefined) candidates.push(candidate);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      unreadable.push(error.message);
    }
  }
  return { candidates, unreadable };
}

async function listFiles(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const place of places) {
    const names = await readdir(join(folder, place)).catch(() => []);
    const weights = names.filter((name) => name.endsWith(".safetensors")).toSorted();
    paths.push(...weights.map((name) => join(folder, place, name)));
  }
  return paths.slice(0, filesMax);
}

/** By tensors that only the one kind has. */
function classify(path: string, header: SafetensorsHeader): Candidate | undefined {
  const shapesOf = (translate: typeof translateTransformer) =>
    new Map(header.tensors.flatMap(translate).map(({ name, shape }) => [name, shape]));
  const shapes = shapesOf(translateTransformer);
  if (shapes.has("layers.0.attention.to_q.weight") && shapes.has("cap_embedder.0.weight")) {
    return { path, part: "transformer", shapes };
  }
  if (shapes.has("decoder.conv_in.weight")) return { path, part: "vae", shapes };
  const encoder = shapesOf(translateTextEncoder);
  if (!encoder.has("embed_tokens.weight")) return undefined;
  return { path, part: "textEncoder", shapes: encoder };
}

/** Whether a text encoder or an autoencoder hands over what this transformer takes. */
function fits(candidate: Candidate, transformer: Candidate): boolean {
  const patch = transformer.shapes.get("all_x_embedder.2-1.weight")?.[1] ?? 0;
  const caption = transformer.shapes.get("cap_embedder.0.weight")?.[0];
  if (candidate.part === "vae") {
    return candidate.shapes.get("decoder.conv_in.weight")?.[1] === patch / 4;
  }
  return candidate.shapes.get("embed_tokens.weight")?.[1] === caption;
}

interface Search {
  readonly folder: string;
  readonly part: Part;
  readonly unreadable: readonly string[];
}

const titles: Readonly<Record<Part, string>> = {
  transformer: "transformer",
  textEncoder: "text encoder",
  vae: "autoencoder",
};

function pickOne(found: readonly Candidate[], { folder, part, unreadable }: Search): Candidate {
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first === undefined) {
    const passed = unreadable.length === 0 ? "" : `; passed over: ${unreadable.join("; ")}`;
    const message = `${folder}: no file of a fitting ${titles[part]}${passed}`;
    throw new ModelError("MODEL_INVALID", message, { file: folder });
  }
  const names = found.map(({ path }) => path).join(", ");
  const hint = part === "transformer" ? "name the file" : "keep one";
  const message = `${folder}: several files could be the ${titles[part]}, ${hint}: ${names}`;
  throw new ModelError("MODEL_INVALID", message, { file: folder });
}

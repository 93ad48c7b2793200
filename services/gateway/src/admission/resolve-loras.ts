/**
 * Turns the names of adapters into digests when a picture is accepted: what is drawn is what the
 * name meant then, whatever it means later, and what the answer says draws the same again.
 */
import {
  FarmError,
  type ImageSpec,
  type LoraRef,
  type LoraStack,
  type PoolRecord,
  type ProjectId,
} from "@zfarm/contract";
import { checkRepeated } from "../domain/lora-rules.ts";
import { adapterProblem, stackProblem } from "../domain/stack-rules.ts";
import { type Fault, Violations } from "../domain/violations.ts";
import type { FoundLora, LoraFinder } from "../loras/lora-finder.ts";

interface Order {
  readonly project: ProjectId;
  readonly images: readonly ImageSpec[];
  readonly pool: PoolRecord;
  /** Where a picture stands in the request, for example `images[3]`. */
  readonly pathOf: (index: number) => string;
}

export interface Resolved {
  /** With digests and weights in place of names. */
  readonly images: readonly ImageSpec[];
  /** At the place of each picture; undefined: the bare model. */
  readonly stacks: readonly (LoraStack | undefined)[];
}

/** LORA_NOT_FOUND, INVALID_REQUEST where two names are one file, NO_CAPABLE_POOL. */
export async function resolveLoras(
  finder: Pick<LoraFinder, "findAll">,
  order: Order,
): Promise<Resolved> {
  const { images } = order;
  if (images.every(({ loras }) => loras.length === 0)) {
    return { images, stacks: images.map(() => undefined) };
  }
  const texts = images.flatMap(({ loras }) => loras.map(({ lora }) => lora));
  const found = await finder.findAll(order.project, texts);
  const violations = new Violations();
  const stacks = images.map((image, index) => {
    const path = `${order.pathOf(index)}.loras`;
    return stackOf(image, { found, path, project: order.project }, violations);
  });
  if (violations.count > 0) {
    throw violations.toError(violations.isOnly("NOT_FOUND") ? "LORA_NOT_FOUND" : undefined);
  }
  stacks.forEach((stack, index) => requireCapable(stack, { order, found, index }));
  return { images: images.map((image, index) => pinned(image, stacks[index])), stacks };
}

type Found = ReadonlyMap<string, FoundLora>;

function stackOf(
  { loras }: ImageSpec,
  place: { readonly found: Found; readonly path: string; readonly project: ProjectId },
  violations: Violations,
): LoraStack | undefined {
  if (loras.length === 0) return undefined;
  const digests = new Set<string>();
  const adapters = loras.flatMap(({ lora, weight }, index): LoraRef[] => {
    const known = place.found.get(lora);
    const fault = known === undefined ? unknown(place.project, lora) : undefined;
    violations.add(
      `${place.path}[${index}].lora`,
      fault ?? checkRepeated(known?.digest ?? "", digests),
    );
    if (known === undefined) return [];
    digests.add(known.digest);
    const { digest, rank, sizeBytes } = known;
    const ref = { digest, weight: weight ?? 1, rank, sizeBytes };
    return [known.pinned ? { ...ref, pinned: true } : ref];
  });
  return { adapters };
}

/** The text is a parsed name by now, so that it may be repeated. */
function unknown(project: ProjectId, lora: string): Fault {
  return { reason: "NOT_FOUND", description: `project ${project} has no adapter ${lora}` };
}

function requireCapable(
  stack: LoraStack | undefined,
  at: { readonly order: Order; readonly found: Found; readonly index: number },
): void {
  const { pool, images, pathOf } = at.order;
  const problems = (images[at.index]?.loras ?? []).flatMap(({ lora }) => {
    return adapterProblem(lora, at.found.get(lora)?.architecture, pool) ?? [];
  });
  const problem = stackProblem(stack, pool) ?? problems[0];
  if (problem === undefined) return;
  throw new FarmError("NO_CAPABLE_POOL", `${pathOf(at.index)}: ${problem}`);
}

/** What the answer says, and what a retry asks for. */
function pinned(image: ImageSpec, stack: LoraStack | undefined): ImageSpec {
  if (stack === undefined) return image;
  return {
    ...image,
    loras: stack.adapters.map(({ digest, weight }) => ({ lora: digest, weight })),
  };
}

/** Where networks run, from its name. */
import { ModelError } from "../errors.ts";

export type Device =
  | { readonly kind: "cpu" }
  | { readonly kind: "cuda"; readonly id: number }
  | { readonly kind: "webgpu" };

const cpu: Device = { kind: "cpu" };
const cards = /^cuda(?::(\d{1,2}))?$/;

/**
 * `cpu`, `cuda:N` for the card with that number, of which `cuda` is the first, or `webgpu` for what
 * the system's Vulkan driver offers first. INPUT_INVALID else.
 */
export function parseDevice(text = "cpu"): Device {
  if (text === "cpu") return cpu;
  if (text === "webgpu") return { kind: "webgpu" };
  const found = cards.exec(text);
  if (found === null) {
    const message = `device is ${text}; cpu, cuda:N for a graphics card, or webgpu`;
    throw new ModelError("INPUT_INVALID", message, { field: "device" });
  }
  return { kind: "cuda", id: Number(found[1] ?? 0) };
}

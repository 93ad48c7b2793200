/** Where networks run, from its name. */
import { ModelError } from "../errors.ts";

export type Device = { readonly kind: "cpu" } | { readonly kind: "cuda"; readonly id: number };

const cpu: Device = { kind: "cpu" };
const cards = /^cuda(?::(\d{1,2}))?$/;

/** `cpu`, or `cuda:N` for the card with that number; `cuda` is the first. INPUT_INVALID else. */
export function parseDevice(text = "cpu"): Device {
  if (text === "cpu") return cpu;
  const found = cards.exec(text);
  if (found === null) {
    const message = `device is ${text}; cpu, or cuda:N for a graphics card`;
    throw new ModelError("INPUT_INVALID", message, { field: "device" });
  }
  return { kind: "cuda", id: Number(found[1] ?? 0) };
}

/** How much memory a worker's adapters take: what it keeps to, and what is said of it elsewhere. */
import { limits } from "./limits.ts";

/** A worker's default: bytes of its memory that hold adapters ready for runs. */
export function loraRamBytesOf(machineBytes: number): number {
  return Math.min(limits.loraRamBytesDefault, Math.floor(machineBytes / limits.loraRamShare));
}

/**
 * How much of the memory for adapters counts as the device: on a CPU, what may be copied side by
 * side for a batch, which takes as much again as the adapters it is copied from.
 */
export function loraDeviceBytesOf(ramBytes: number): number {
  return Math.floor(ramBytes / 2);
}

/** All of it: adapters and their copies. */
export function loraMemoryBytesOf(ramBytes: number): number {
  return ramBytes + loraDeviceBytesOf(ramBytes);
}

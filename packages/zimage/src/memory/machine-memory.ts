/** How much of this machine's memory a model may take when nobody says. */
import { totalmem } from "node:os";

/** The system, the other processes of a worker, and what the page cache needs to be of use. */
const systemShare = 1 / 8;

/** Bytes of the container's limit where there is one, else of the machine. */
export function machineBytes(): number {
  // Without a limit this is a number beyond any memory.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** What of it is a model's. @param reservedBytes what the model's own process needs beside it. */
export function machineMemoryBytes(reservedBytes = 0): number {
  return Math.max(0, Math.floor(machineBytes() * (1 - systemShare)) - reservedBytes);
}

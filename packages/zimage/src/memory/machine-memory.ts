/** How much of this machine's memory a model may take when nobody says. */
import { totalmem } from "node:os";

/** The system, the other processes of a worker, and what the page cache needs to be of use. */
const reservedShare = 1 / 8;

/** Bytes: of the container's limit where there is one, else of the machine. */
export function machineMemoryBytes(): number {
  // Without a limit this is a number beyond any memory.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.floor(memory * (1 - reservedShare));
}

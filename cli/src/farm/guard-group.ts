/**
 * Processes that must not outlive this one. Each leads a group of its own: the Ctrl-C of a terminal
 * reaches all of a group at once, where the farm has an order in which nothing is lost.
 */

const groups = new Set<number>();

/** Ends the group when this process does, however that comes; gives what takes that back. */
export function guardGroup(leader: number): () => void {
  if (groups.size === 0) process.on("exit", endAll);
  groups.add(leader);
  return () => {
    groups.delete(leader);
    if (groups.size === 0) process.off("exit", endAll);
  };
}

function endAll(): void {
  for (const leader of groups) {
    try {
      process.kill(-leader, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

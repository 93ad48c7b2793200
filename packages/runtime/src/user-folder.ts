/** Where a process keeps files that another user of the machine must not meet. */
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Among the temporary ones, named after the user: another user's could not be written. */
export function userFolder(name: string): string {
  // By number: in a container the user has often no name. Absent where the system has no numbers.
  const user = process.getuid?.();
  return join(tmpdir(), user === undefined ? name : `${name}-${user}`);
}

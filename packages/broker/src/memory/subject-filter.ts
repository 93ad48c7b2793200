/** Which subjects a filter means, by NATS's rules. */

/** `*` stands for one part, a last `>` for one or more. */
export function createSubjectFilter(filter: string): (subject: string) => boolean {
  const wanted = filter.split(".");
  const openEnded = wanted.at(-1) === ">";
  const fixed = openEnded ? wanted.slice(0, -1) : wanted;
  return (subject) => {
    const parts = subject.split(".");
    if (openEnded ? parts.length <= fixed.length : parts.length !== fixed.length) return false;
    return fixed.every((part, index) => part === "*" || part === parts[index]);
  };
}

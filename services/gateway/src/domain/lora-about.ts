/** Decides what may be said of an adapter: its display name, labels and trigger words. */
import { limits } from "@zfarm/contract";
import { checkDisplayName, checkLine } from "./check-text.ts";
import type { Fault, Violations } from "./violations.ts";

/** What its owner says of an adapter, as opposed to what its file is. */
export interface LoraAbout {
  readonly displayName: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly triggerWords: readonly string[];
  readonly pinned: boolean;
}

const labelKey = /^[a-z][a-z0-9._-]{0,62}$/;

/** Adds every violation; `path` is where it stands, for example `header`. */
export function checkAbout(about: LoraAbout, path: string, violations: Violations): void {
  violations.add(`${path}.display_name`, checkDisplayName(about.displayName));
  violations.add(`${path}.labels`, checkLabels(about.labels));
  const words = about.triggerWords;
  const count = checkCount(words.length, limits.triggerWordsMax);
  violations.add(`${path}.trigger_words`, count);
  if (count !== undefined) return;
  for (const [index, word] of words.entries()) {
    violations.add(`${path}.trigger_words[${index}]`, checkWord(word));
  }
}

/** The first thing that is wrong with the labels; their text is the client's and not repeated. */
export function checkLabels(labels: ReadonlyMap<string, string>): Fault | undefined {
  const count = checkCount(labels.size, limits.loraLabelsMax);
  if (count !== undefined) return count;
  for (const [key, value] of labels) {
    if (!labelKey.test(key)) {
      const description = "a key must be 1 to 63 of a-z 0-9 - _ . and start with a letter";
      return { reason: "BAD_NAME", description };
    }
    const fault = checkLine(value, limits.loraLabelCharsMax);
    if (fault !== undefined) return { ...fault, description: `a value ${fault.description}` };
  }
  return undefined;
}

export function checkCount(count: number, max: number): Fault | undefined {
  if (count <= max) return undefined;
  return { reason: "TOO_MANY", description: `holds ${count}; at most ${max} are allowed` };
}

function checkWord(word: string): Fault | undefined {
  if (word === "") return { reason: "REQUIRED", description: "must not be empty" };
  return checkLine(word, limits.triggerWordCharsMax);
}

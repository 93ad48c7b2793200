/** Finds the words that wake an adapter, where trainers leave them in the metadata. */
import { z } from "zod";

const wordsMax = 8;
const wordCharsMax = 100;
/** A tag in nearly every picture of the data set is what the adapter was taught to answer to. */
const shareOfMostFrequent = 0.95;
const directKeys = ["modelspec.trigger_phrase", "trigger_words", "trigger_word", "trigger_phrase"];
const tagCounts = z.record(z.string(), z.record(z.string(), z.number()));

/** At most eight, without duplicates; empty when the file says nothing that can be understood. */
export function readTriggerWords(metadata: Readonly<Record<string, string>>): string[] {
  const direct = directKeys.flatMap((key) => metadata[key]?.split(",") ?? []);
  const words = [...direct, ...frequentTags(metadata["ss_tag_frequency"])].map(clean);
  return [...new Set(words)].filter((word) => word !== "").slice(0, wordsMax);
}

/** The metadata is a hint: what cannot be read is no reason to refuse an adapter. */
function frequentTags(text: string | undefined): string[] {
  if (text === undefined) return [];
  const parsed = tagCounts.safeParse(parseOrNothing(text));
  if (!parsed.success) return [];
  return Object.values(parsed.data).flatMap((counts) => {
    const ranked = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
    const most = ranked[0]?.[1] ?? 0;
    const frequent = ranked.filter(([, count]) => count >= shareOfMostFrequent * most);
    // Where everything is equally frequent, nothing was meant as a trigger.
    return frequent.length > wordsMax ? [] : frequent.map(([tag]) => tag);
  });
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line, without characters that could steer a terminal. */
function clean(word: string): string {
  const printable = word.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ");
  return printable.trim().slice(0, wordCharsMax);
}

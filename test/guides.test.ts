/** What guides tell people to type exists: every `zfarm` command, its verbs and its options. */
import { describe, expect, test } from "vitest";
import { usageOf } from "../cli/src/usage.ts";
import { listFiles, readText } from "./repository.ts";

const pages = listFiles().filter((path) => /^(README|docs\/(guides|tutorial).*)\.md$/.test(path));

/** Commands in blocks of code and between backquotes, without comments and what is piped on. */
function commandsOf(text: string): string[] {
  const quoted = [...text.matchAll(/`(?:npx )?(zfarm [^`]+)`/g)].map(([, command]) => command);
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block).join("");
  const typed = [...blocks.matchAll(/^(?:npx )?(zfarm [^\n]+)$/gm)].map(([, line]) => line);
  return [...quoted, ...typed].map((line = "") => line.replace(/\s+(#|>|\|).*$/s, ""));
}

describe.each(pages)("%s", (path) => {
  const commands = commandsOf(readText(path));

  test.skipIf(commands.length === 0)("names only commands that there are", () => {
    for (const line of commands) expect(faultOf(line), line).toBe("");
  });
});

/** Options of every command that talks to a farm, and of those for adapters. */
const common = ["address", "project", "pool"];

/** What of the command the usage does not know; empty: nothing. */
function faultOf(line: string): string {
  const [, command = "", ...words] = line.split(/\s+/);
  const known = usageOf(command);
  if (known === "") return `there is no command ${command}`;
  const verb = words[0] ?? "";
  const takesVerb = /\bget\b|\blist\b|\bcheck\b/.test(known.split("\n")[0] ?? "");
  if (takesVerb && /^[a-z][a-z-]*$/.test(verb) && !new RegExp(`\\b${verb}\\b`).test(known)) {
    return `there is no ${command} ${verb}`;
  }
  const options = words.flatMap((word) => /^--([a-z-]+)/.exec(word)?.[1] ?? []);
  const unknown = options.find((name) => !known.includes(`--${name}`) && !common.includes(name));
  return unknown === undefined ? "" : `${command} has no option --${unknown}`;
}

test("what is wrong would be noticed", () => {
  expect(faultOf("zfarm fly now")).not.toBe("");
  expect(faultOf("zfarm workers polish worker-1")).not.toBe("");
  expect(faultOf("zfarm queue --colour red")).not.toBe("");
  expect(faultOf("zfarm workers lock worker-1 --reason x")).toBe("");
});

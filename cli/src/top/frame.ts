/** Draws what `zfarm top` knows into so many rows and columns. Pure: the same in, the same out. */
import { WorkerState } from "@zfarm/contract";
import { spanText } from "../amounts.ts";
import { showable } from "../terminal.ts";
import type { FarmPicture } from "./farm-picture.ts";
import { type Line, type Section, sectionsOf, type Tone } from "./sections.ts";

export interface TopState {
  readonly address: string;
  readonly nowMs: number;
  /** The newest there is; undefined before the first. */
  readonly picture: FarmPicture | undefined;
  /** Why the last reading failed. */
  readonly problem: string | undefined;
}

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
  /** Whether tones may be shown as colours. */
  readonly isColoured: boolean;
}

/** At most `rows` lines, each at most `columns` characters wide. */
export function frame(state: TopState, size: FrameSize): string[] {
  const head = headOf(state);
  const sections = state.picture === undefined ? [] : sectionsOf(state.picture);
  const room = Math.max(0, size.rows - head.length);
  const lines = [...head, ...fit(sections, room)].slice(0, size.rows);
  return lines.map((line) => paint(line, size));
}

function headOf({ address, nowMs, picture, problem }: TopState): Line[] {
  const time = new Date(nowMs).toISOString().slice(11, 19);
  const lines: Line[] = [{ text: `zfarm top  ${address}  ${time}Z`, tone: "title" }];
  if (problem !== undefined) {
    const seconds = (nowMs - (picture?.readAt ?? nowMs)) / 1_000;
    const age = picture === undefined ? "" : `; what is shown is ${spanText(seconds)} old`;
    lines.push({ text: `${showable(problem)}${age}`, tone: "bad" });
  }
  if (picture !== undefined) lines.push({ text: sumsOf(picture), tone: "plain" });
  return lines;
}

function sumsOf({ workers, queues }: FarmPicture): string {
  const total = (count: (queue: FarmPicture["queues"][number]) => number): number =>
    queues.reduce((sum, queue) => sum + count(queue), 0);
  const busy = workers.filter(({ state }) => state === WorkerState.BUSY).length;
  return [
    `workers ${workers.length}, ${busy} busy`,
    `tasks waiting ${total(({ waiting }) => waiting)}`,
    `running ${total(({ running }) => running)}`,
    `backlog ${spanText(total(({ backlogSeconds }) => backlogSeconds))} of device time`,
  ].join("   ");
}

/** Every section gets what it needs up to a bound that is the same for all of them. */
function fit(sections: readonly Section[], rows: number): Line[] {
  // A blank line and the title come with each section.
  const frameRows = 2;
  const needs = sections.map(({ lines }) => lines.length);
  const room = rows - sections.length * frameRows;
  const longest = Math.max(0, ...needs);
  let bound = 0;
  while (bound < longest && sumUpTo(needs, bound + 1) <= room) bound += 1;
  return sections.flatMap(({ title, lines }) => [
    { text: "", tone: "plain" as const },
    { text: title.toUpperCase(), tone: "title" as const },
    ...cut(lines, bound),
  ]);
}

function sumUpTo(needs: readonly number[], bound: number): number {
  return needs.reduce((sum, need) => sum + Math.min(need, bound), 0);
}

/** The last line of what does not fit says how much is missing. */
function cut(lines: readonly Line[], bound: number): readonly Line[] {
  if (lines.length <= bound) return lines;
  if (bound === 0) return [];
  const kept = lines.slice(0, bound - 1);
  return [...kept, { text: `... ${lines.length - kept.length} more`, tone: "plain" }];
}

const colours: Readonly<Record<Tone, readonly [on: string, off: string]>> = {
  title: ["\u001b[1m", "\u001b[0m"],
  heading: ["\u001b[2m", "\u001b[0m"],
  plain: ["", ""],
  warn: ["\u001b[33m", "\u001b[0m"],
  bad: ["\u001b[31m", "\u001b[0m"],
};

function paint({ text, tone }: Line, { columns, isColoured }: FrameSize): string {
  const characters = Array.from(text);
  const shown = characters.length <= columns ? text : characters.slice(0, columns).join("");
  const [on, off] = isColoured ? colours[tone] : ["", ""];
  return shown === "" ? "" : `${on}${shown}${off}`;
}

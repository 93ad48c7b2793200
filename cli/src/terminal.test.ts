import { describe, expect, it } from "vitest";
import { createTerminal } from "./terminal.ts";

function record(isTTY: boolean) {
  const written: string[] = [];
  const output = { isTTY, write: (text: string) => written.push(text) };
  return { terminal: createTerminal({ write: () => {} }, output), written };
}

describe("progress", () => {
  it("replaces its last line on a screen", () => {
    const { terminal, written } = record(true);

    terminal.progress("convert 1 %");
    terminal.progress("convert 2 %");
    terminal.note("done");

    expect(written.join("")).toBe("\r\u001b[Kconvert 1 %\r\u001b[Kconvert 2 %\r\u001b[Kdone\n");
  });

  it("writes a line for every tenth into a log", () => {
    const { terminal, written } = record(false);

    for (let percent = 0; percent < 25; percent += 1) terminal.progress(`convert ${percent} %`);

    expect(written).toEqual(["convert 0 %\n", "convert 10 %\n", "convert 20 %\n"]);
  });
});

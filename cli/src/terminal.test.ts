import { describe, expect, it } from "vitest";
import { createTerminal } from "./terminal.ts";

function record(isTTY: boolean) {
  const written: string[] = [];
  const output = { isTTY, write: (text: string) => written.push(text) };
  return { terminal: createTerminal(output, output), written };
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

describe("a text from elsewhere", () => {
  const text = "tensor \u001b]0;x\u0007\u009b2J\u202Ea\r\tb\nc";

  it("cannot steer a screen", () => {
    const { terminal, written } = record(true);

    terminal.note(text);
    terminal.print(text);

    const shown = "tensor \uFFFD]0;x\uFFFD\uFFFD2J\uFFFDa\uFFFD\tb\nc\n";
    expect(written.filter((each) => each !== "")).toEqual([shown, shown]);
  });

  it("goes into a file as it is", () => {
    const { terminal, written } = record(false);

    terminal.print(text);

    expect(written).toContain(`${text}\n`);
  });
});

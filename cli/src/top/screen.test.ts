/** A terminal is left as it was found, follows its size, and gives up on q and Ctrl-C. */
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { Screen } from "./screen.ts";

class FakeOutput extends EventEmitter {
  readonly isTTY = true;
  columns = 80;
  rows = 24;
  text = "";
  write(text: string): void {
    this.text += text;
  }
}

class FakeInput extends EventEmitter {
  readonly isTTY: boolean;
  isRaw = false;
  isFlowing = false;
  constructor(isTTY = true) {
    super();
    this.isTTY = isTTY;
  }
  setRawMode(isRaw: boolean): void {
    this.isRaw = isRaw;
  }
  resume(): void {
    this.isFlowing = true;
  }
  pause(): void {
    this.isFlowing = false;
  }
}

function openScreen(input = new FakeInput()) {
  const output = new FakeOutput();
  const seen = { resizes: 0, quits: 0 };
  const screen = new Screen(
    { output, input },
    { onResize: () => (seen.resizes += 1), onQuit: () => (seen.quits += 1) },
  );
  screen.open();
  return { screen, output, input, seen };
}

test("a frame takes the place of the last one, and nothing of that stays", () => {
  const { screen, output } = openScreen();
  output.text = "";

  screen.draw(["one", "two"]);

  expect(output.text).toBe("\u001b[Hone\u001b[K\r\ntwo\u001b[K\u001b[J");
});

test.each(["q", "\u0003", "xq"])("%j quits, other keys do not", (keys) => {
  const { input, seen } = openScreen();

  input.emit("data", Buffer.from("xyz"));
  expect(seen.quits).toBe(0);
  input.emit("data", Buffer.from(keys));

  expect(seen.quits).toBe(1);
});

test("a new size is told and used", () => {
  const { screen, output, seen } = openScreen();
  output.columns = 40;
  output.rows = 10;

  output.emit("resize");

  expect(seen.resizes).toBe(1);
  expect(screen.size).toEqual({ columns: 40, rows: 10 });
});

test("closing gives back what opening took: the other screen, the cursor, the keys", () => {
  const { screen, output, input } = openScreen();
  expect(output.text).toBe("\u001b[?1049h\u001b[?25l");
  expect(input).toMatchObject({ isRaw: true, isFlowing: true });

  screen.close();

  expect(output.text.endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
  expect(input).toMatchObject({ isRaw: false, isFlowing: false });
  expect([output.listenerCount("resize"), input.listenerCount("data")]).toEqual([0, 0]);
});

test("input that is no terminal is left alone", () => {
  const { screen, input } = openScreen(new FakeInput(false));

  screen.close();

  expect(input).toMatchObject({ isRaw: false, isFlowing: false });
  expect(input.listenerCount("data")).toBe(0);
});

/** A terminal as `zfarm top` uses it: frames in place of each other, keys, and its size. */

export interface ScreenOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

export interface ScreenInput {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  off(event: "data", listener: (bytes: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** The other screen of the terminal, so that what was there comes back; the cursor hidden. */
const enter = "\u001b[?1049h\u001b[?25l";
const leave = "\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";

export class Screen {
  readonly #output: ScreenOutput;
  readonly #input: ScreenInput;
  readonly #onResize: () => void;
  readonly #onData: (bytes: Buffer) => void;

  /** `onQuit` is called for q and Ctrl-C, which in raw mode is a key like others. */
  constructor(
    streams: { readonly output: ScreenOutput; readonly input: ScreenInput },
    events: { readonly onResize: () => void; readonly onQuit: () => void },
  ) {
    this.#output = streams.output;
    this.#input = streams.input;
    this.#onResize = events.onResize;
    this.#onData = (bytes) => {
      if (bytes.includes("q") || bytes.includes("\u0003")) events.onQuit();
    };
  }

  get size(): { readonly columns: number; readonly rows: number } {
    // A terminal that does not say is the one of old.
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  open(): void {
    this.#output.write(enter);
    this.#output.on("resize", this.#onResize);
    if (this.#input.isTTY !== true) return;
    this.#input.setRawMode?.(true);
    this.#input.on("data", this.#onData);
    this.#input.resume();
  }

  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}${clearLine}`).join("\r\n");
    this.#output.write(`${home}${text}${clearBelow}`);
  }

  close(): void {
    this.#output.off("resize", this.#onResize);
    if (this.#input.isTTY === true) {
      this.#input.off("data", this.#onData);
      this.#input.setRawMode?.(false);
      this.#input.pause();
    }
    this.#output.write(leave);
  }
}

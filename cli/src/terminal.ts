/** What the command says: results on stdout, everything else on stderr. */
export interface Terminal {
  /** A line of the result. */
  print(line: string): void;
  /** A line of news about how it goes. */
  note(line: string): void;
  /** How far it is: on a screen the line takes the place of the last one of these. */
  progress(line: string): void;
}

export const processTerminal: Terminal = createTerminal(process.stdout, process.stderr);

export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const clearLine = "\r\u001b[K";

/** All but tabs and ends of lines: texts of files and farms may hold what steers a screen. */
const steering = /(?![\n\t])[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu;

/** One cell of a screen, whatever a text of the farm holds. */
export function showable(text: string): string {
  return text.replaceAll(steering, "\uFFFD").replaceAll(/\s/g, " ");
}

/** As it can be shown; what goes to a file or another program stays as it is. */
function shownOn(output: Output, line: string): string {
  return output.isTTY === true ? line.replaceAll(steering, "\uFFFD") : line;
}

export function createTerminal(results: Output, news: Output): Terminal {
  let shown = "";
  const clear = (): string => {
    const text = shown === "" || news.isTTY !== true ? "" : clearLine;
    shown = "";
    return text;
  };
  return {
    print: (line) => {
      news.write(clear());
      results.write(`${shownOn(results, line)}\n`);
    },
    note: (line) => news.write(`${clear()}${shownOn(news, line)}\n`),
    progress: (line) => {
      // A log gets a line for every change of the leading words and tens of percent, not for each.
      const step = news.isTTY === true ? line : coarse(line);
      if (step === shown) return;
      news.write(news.isTTY === true ? `${clearLine}${shownOn(news, line)}` : `${line}\n`);
      shown = step;
    },
  };
}

/** What of a line of progress is worth a line of a log. */
function coarse(line: string): string {
  const [word = ""] = line.split(" ");
  const percent = /(\d+) %/.exec(line)?.[1] ?? "0";
  return `${word} ${Math.floor(Number(percent) / 10)}`;
}

/** Rows as columns as wide as their widest cell, two blanks between. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

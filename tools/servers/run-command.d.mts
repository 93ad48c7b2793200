/** Types of run-command.mjs for its test. */
export declare function runCommand(
  command: string,
  args: readonly string[],
  options: {
    readonly limitMs: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
  },
): Promise<string>;

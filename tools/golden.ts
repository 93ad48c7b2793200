/**
 * Prints what one component computes on weights and inputs that anyone can make again: `npm run
 * --silent golden -- CASE.json`. Exit code 0: one JSON object as the last line; 2: the case is not
 * valid; 1: anything else.
 */
import { readFile } from "node:fs/promises";
import { argv, exit, stderr, stdout } from "node:process";
import { ModelError } from "@zfarm/zimage";
import { CaseError, parseCase } from "./golden/case-file.ts";
import { runCase } from "./golden/run-case.ts";

const usage = "usage: npm run --silent golden -- CASE.json";

async function main(path: string | undefined): Promise<number> {
  try {
    if (path === undefined || argv.length > 3) throw new CaseError(usage);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new CaseError(`${path} cannot be read`, { cause });
    });
    stdout.write(`${JSON.stringify(await runCase(parseCase(text)))}\n`);
    return 0;
  } catch (error) {
    stderr.write(`golden: ${error instanceof Error ? error.message : String(error)}\n`);
    return isCaseAtFault(error) ? 2 : 1;
  }
}

/** The components check again what the schema cannot see, such as ids beyond the vocabulary. */
function isCaseAtFault(error: unknown): boolean {
  if (error instanceof CaseError) return true;
  return error instanceof ModelError && ["INPUT_INVALID", "LORA_INVALID"].includes(error.code);
}

exit(await main(argv[2]));

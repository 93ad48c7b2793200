// Compares the model with the reference implementations, component by component: each case in
// golden/ stands beside the values that the reference computed on the same filler weights.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { spellingNames } from "../packages/zimage/test/lora-files.ts";
import { CaseError, parseCase } from "../tools/golden/case-file.ts";
import { runCase } from "../tools/golden/run-case.ts";

const folder = fileURLToPath(new URL("golden", import.meta.url));
const suffix = ".case.json";
const files = await readdir(folder);
const names = files
  .filter((file) => file.endsWith(suffix))
  .map((file) => file.slice(0, -suffix.length));

const numbers = z.array(z.number());
const statistics = z.strictObject({
  shape: numbers,
  first4: numbers,
  last4: numbers.optional(),
  sum: z.number().optional(),
  l2: z.number().optional(),
});
const expectedFile = z.strictObject({
  source: z.string(),
  /** Largest difference of one element. */
  tolerance: z.number(),
  output: z.strictObject({
    samples: z.array(statistics).optional(),
    hidden: statistics.optional(),
    image: statistics.optional(),
    latents: statistics.optional(),
    steps: numbers.optional(),
    uint8Sum: z.number().optional(),
  }),
});

/** Net count of values that may round to a neighbour; the pipeline's case has 6,144 of them. */
const pixelSumBound = 3;

describe.each(names)("golden case %s", (name) => {
  it("agrees with the reference within its tolerance", async () => {
    const text = await readFile(join(folder, name + suffix), "utf8");

    await expectAgreement(name, await runCase(parseCase(text)));
  });
});

describe.each(spellingNames)("a LoRA from a file in the spelling %s", (spelling) => {
  it("draws what the reference draws with merged weights", async () => {
    const name = "transformer-lora";
    const text = await readFile(join(folder, name + suffix), "utf8");
    const spelled = text.replace('"rank": 4', `"rank": 4, "spelling": "${spelling}"`);

    await expectAgreement(name, await runCase(parseCase(spelled)));
  });
});

/** Every value that the reference states must be there, and within the case's tolerance. */
async function expectAgreement(name: string, actual: object): Promise<void> {
  const text = await readFile(join(folder, `${name}.expected.json`), "utf8");
  const { tolerance, output } = expectedFile.parse(JSON.parse(text));
  const compared = compare(actual, output, tolerance);
  expect(compared.filter(({ distance, bound }) => !(distance <= bound))).toEqual([]);
  expect(compared.length).toBeGreaterThan(4);
}

interface Compared {
  readonly path: string;
  readonly distance: number;
  readonly bound: number;
}

/** Walks the expected values; what the reference does not state is not compared. */
function compare(actual: unknown, expected: unknown, tolerance: number): Compared[] {
  const actualLeaves = new Map(leavesOf(actual));
  const sizes = [...actualLeaves].filter(([path]) => path.includes(".shape."));
  return leavesOf(expected).map(([path, value]) => {
    const distance = Math.abs((actualLeaves.get(path) ?? Number.NaN) - value);
    const shape = `${path.replace(/[^.]*$/, "")}shape.`;
    const own = sizes.filter(([one]) => one.startsWith(shape)).map(([, side]) => side);
    const count = own.reduce((product, side) => product * side, 1);
    return { path, distance, bound: boundOf(path, { tolerance, count, value }) };
  });
}

function boundOf(
  path: string,
  { tolerance, count, value }: { tolerance: number; count: number; value: number },
): number {
  if (path.includes(".shape.")) return 0;
  // Errors of single elements have both signs, so a sum's error grows with the root of the count.
  if (path.endsWith(".sum")) return tolerance * Math.sqrt(count);
  if (path.endsWith(".l2") || path.startsWith(".steps.")) return tolerance * value;
  if (path === ".uint8Sum") return pixelSumBound;
  return tolerance;
}

function leavesOf(value: unknown, path = ""): [path: string, value: number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, `${path}.${key}`));
}

describe("npm run golden", () => {
  const run = promisify(execFile);
  const tool = fileURLToPath(new URL("../tools/golden.ts", import.meta.url));
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "golden-case-"));
  });
  afterAll(async () => {
    await rm(scratch, { recursive: true });
  });

  it("prints one JSON object as its last line", async () => {
    const { stdout } = await run(process.execPath, [tool, join(folder, "text-encoder.case.json")]);

    const last = stdout.trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ hidden: { shape: [11, 32] } });
  });

  it("exits with 2 and names an unknown field", async () => {
    const path = join(scratch, "case.json");
    const text = await readFile(join(folder, "text-encoder.case.json"), "utf8");
    await writeFile(path, JSON.stringify({ ...Object(JSON.parse(text)), idz: [1] }));

    await expect(run(process.execPath, [tool, path])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Unrecognized key: "idz"') as string,
    });
  });

  it("exits with 2 for a case that is not there", async () => {
    const path = join(scratch, "absent.json");

    await expect(run(process.execPath, [tool, path])).rejects.toMatchObject({ code: 2 });
  });
});

describe("parseCase", () => {
  const pipeline = readFile(join(folder, "pipeline.case.json"), "utf8");

  it.each([
    ["guidance", -1],
    ["cfg_normalization", -1],
    ["cfg_truncation", 1.5],
  ])("refuses a %s of %d", async (field, value) => {
    const text = (await pipeline).replace('"steps": 8', `"steps": 8, "${field}": ${value}`);

    expect(() => parseCase(text)).toThrow(`field sampler.${field}`);
  });

  it("refuses guidance away from nothing", async () => {
    const text = (await pipeline).replace('"steps": 8', '"steps": 8, "guidance": 3');

    expect(() => parseCase(text)).toThrow("field negatives: must be as many");
  });

  it("names the field of a configuration that is wrong", async () => {
    const text = (await pipeline).replace('"n_heads": 2', '"n_heads": 3');

    expect(() => parseCase(text)).toThrow("field transformer: config: field n_heads");
  });

  it("refuses what is not JSON", () => {
    expect(() => parseCase("{")).toThrow(CaseError);
  });
});

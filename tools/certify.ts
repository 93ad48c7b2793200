/**
 * Compares this engine with diffusers' pipeline on the same weights and writes a certificate: `npm
 * run certify [-- --model DIR --out FOLDER --size PIXELS]`. Exit code 0: every line holds; 1: one
 * does not, or something broke; 2: the arguments are wrong.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openModelDirectory } from "@zfarm/zimage";
import { formatCertificate } from "./certify/certificate.ts";
import { certifyModel } from "./certify/certify-model.ts";
import { renderPage } from "./certify/page.ts";
import { installReference } from "./certify/reference.ts";
import { writeSheet } from "./picture-sheet.ts";

const usage = "usage: npm run certify [-- --model DIR] [--out FOLDER] [--size PIXELS]";
/** Half the size: a page needs no more, and every certificate is kept by git. */
const sheetScale = 0.5;
const root = fileURLToPath(new URL("../", import.meta.url));

interface Arguments {
  readonly model: string;
  readonly out: string;
  readonly side?: number;
}

/** undefined: not understood. */
function readArguments(args: readonly string[]): Arguments | undefined {
  try {
    const text = { type: "string" } as const;
    const options = { model: text, out: text, size: text };
    const { values } = parseArgs({ args: [...args], options });
    const { model = join(root, "models/z-image-nano"), out = "docs/certificate" } = values;
    if (values.size === undefined) return { model, out };
    return /^\d{2,4}$/.test(values.size) ? { model, out, side: Number(values.size) } : undefined;
  } catch {
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = readArguments(args);
  if (wanted === undefined) {
    stderr.write(`${usage}\n`);
    return 2;
  }
  const say = (text: string): void => void stderr.write(`certify: ${text}\n`);
  const model = await openModelDirectory(wanted.model);
  if (model.layout !== "diffusers" || model.prepared !== undefined) {
    stderr.write(`certify: ${model.path} is not in diffusers' layout, which the reference reads\n`);
    return 2;
  }
  const python = await installReference(say);
  const workFolder = await mkdtemp(join(tmpdir(), "zfarm-certify-"));
  try {
    const { certificate, sheet } = await certifyModel({
      ...wanted,
      model,
      python,
      workFolder,
      say,
    });
    const file = model.name.replaceAll("/", "-");
    const path = (extension: string): string => join(wanted.out, `${file}.${extension}`);
    await mkdir(wanted.out, { recursive: true });
    await writeFile(path("json"), formatCertificate(certificate));
    await writeFile(path("md"), renderPage(certificate, `${file}.png`));
    await writeSheet(path("png"), sheet, sheetScale);
    for (const line of certificate.lines.filter((one) => !one.pass)) {
      stdout.write(`fails: ${JSON.stringify(line)}\n`);
    }
    const verdict = certificate.pass ? "pass" : "fail";
    stdout.write(`${verdict}: ${certificate.lines.length} lines, ${path("md")}\n`);
    return certificate.pass ? 0 : 1;
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

exit(
  await main(argv.slice(2)).catch((error: unknown) => {
    stderr.write(`certify: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }),
);

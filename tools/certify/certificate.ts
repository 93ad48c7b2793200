/** What a certificate says, and when one of its lines holds. */
import { z } from "zod";
import type { Difference } from "./compare.ts";

/** Relative bounds, so that they mean the same for weights of any size. */
const bound = z.strictObject({
  relL2Max: z.number().optional(),
  /** Of `maxAbs`, as a share of the reference's largest element. */
  maxAbsShareMax: z.number().optional(),
  psnrDbMin: z.number().optional(),
  unequalShareMax: z.number().optional(),
});

const measured = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("tensor"),
    maxAbs: z.number(),
    relL2: z.number(),
    largest: z.number(),
  }),
  z.strictObject({
    kind: z.literal("picture"),
    psnrDb: z.number().nullable(),
    unequalPixels: z.int(),
    pixels: z.int(),
    levelsMax: z.int(),
  }),
  z.strictObject({ kind: z.literal("equal"), unequal: z.int(), count: z.int() }),
]);

const line = z.strictObject({
  /** How the weights were computed with; "any" for what has no weights. */
  mode: z.string(),
  part: z.string(),
  /**
   * With adapters: whether the reference took them through diffusers' own loader, or computed with
   * weights that they were merged into.
   */
  way: z.enum(["loader", "merged"]).optional(),
  /** The case, stack or seed that was compared. */
  subject: z.string(),
  /** Denoise step from 1, where there are steps. */
  step: z.int().optional(),
  measured,
  bound,
  pass: z.boolean(),
});

const guidance = z.strictObject({
  scale: z.number(),
  negativePrompt: z.string(),
  normalization: z.number(),
  truncation: z.number(),
});

const certificate = z.strictObject({
  format: z.literal(1),
  model: z.strictObject({
    name: z.string(),
    digest: z.string(),
    loras: z.array(z.strictObject({ name: z.string(), digest: z.string() })),
  }),
  ours: z.record(z.string(), z.string()),
  reference: z.record(z.string(), z.string()),
  conditions: z.record(z.string(), z.string()),
  cases: z.array(
    z.strictObject({
      name: z.string(),
      prompt: z.string(),
      width: z.int(),
      height: z.int(),
      steps: z.int(),
      seed: z.int(),
      guidance: guidance.optional(),
    }),
  ),
  /** Modes and parts that were not compared, with the reason. */
  skipped: z.array(z.strictObject({ what: z.string(), reason: z.string() })),
  lines: z.array(line),
  pass: z.boolean(),
});

export type Bound = z.infer<typeof bound>;
export type Line = z.infer<typeof line>;
export type Certificate = z.infer<typeof certificate>;
export type Case = Certificate["cases"][number];

/** Throws when the value is no certificate of this format. */
export function parseCertificate(value: unknown): Certificate {
  return certificate.parse(value);
}

/** Whether what was measured is within its bound; not a number never is. */
export function holds(found: Difference, limit: Bound): boolean {
  const { relL2Max = Infinity, maxAbsShareMax = Infinity } = limit;
  const { psnrDbMin = -Infinity, unequalShareMax = 1 } = limit;
  switch (found.kind) {
    case "tensor":
      return found.relL2 <= relL2Max && found.maxAbs <= maxAbsShareMax * found.largest;
    case "picture":
      return (
        (found.psnrDb ?? Infinity) >= psnrDbMin &&
        found.unequalPixels <= unequalShareMax * found.pixels
      );
    case "equal":
      return found.unequal === 0;
  }
}

/** The line that a check states, its numbers rounded, with the verdict that follows from them. */
export function judge(about: Omit<Line, "pass">): Line {
  const entries = Object.entries(about.measured).map(([name, value]) => [
    name,
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  ]);
  const measuredRounded = measured.parse(Object.fromEntries(entries));
  return { ...about, measured: measuredRounded, pass: holds(measuredRounded, about.bound) };
}

/** JSON with a line for each of the certificate's lines. */
export function formatCertificate({ lines, ...rest }: Certificate): string {
  const head = JSON.stringify(rest, null, 2).replace(/\n\}$/, "");
  const rows = lines.map((one) => `    ${JSON.stringify(one)}`);
  return `${head},\n  "lines": [\n${rows.join(",\n")}\n  ]\n}\n`;
}

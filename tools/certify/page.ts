/** A certificate as a page that people read. */
import type { Bound, Case, Certificate, Line } from "./certificate.ts";
import { differenceGain } from "./sheet.ts";

const partTexts: Readonly<Record<string, string>> = {
  noise: "noise against `torch.randn` of the CPU generator",
  tokens: "token ids of prompt and chat template",
  text: "text encoder: caption rows",
  transformer: "transformer: one step on the reference's own latents and captions",
  latents: "latents after each step, each side from its own noise and captions",
  vae: "decoder on the reference's final latents",
  picture: "final picture, each side by itself",
  batch: "latents drawn in a mixed batch against those drawn alone",
  pipeline: "picture of the pipeline that the farm runs against the one of the single networks",
  "full width": "one layer and one of each refiner at the released width, random weights",
};

/** Markdown. @param sheet file name of the pictures, beside the page. */
export function renderPage(certificate: Certificate, sheet: string): string {
  const { model, skipped, lines } = certificate;
  const modes = [...new Set(lines.map((line) => line.mode))];
  const held = lines.filter((line) => line.pass).length;
  return [
    `# Parity certificate: ${model.name}`,
    `This page and the JSON beside it are written by \`npm run certify\`; nothing here is edited by
hand. It compares this engine with diffusers' ZImagePipeline in PyTorch, on the CPU, in float32, on
the same weights.`,
    [
      `**${certificate.pass ? "Pass" : "Fail"}**: ${held} of ${lines.length} lines hold.`,
      ...skipped.map(({ what, reason }) => `Not compared: ${what} (${reason}).`),
    ].join(" "),
    `![Reference, ours and difference](${sheet})`,
    `*From the left: the reference, ours in float32, their difference times ${differenceGain}, ours
in int8, ours in int4. A row for each case and for each stack of adapters.*`,
    ...modes.flatMap((mode) => [
      mode === "any" ? "## Without weights" : `## ${mode}`,
      summaryTable(lines.filter((line) => line.mode === mode)),
    ]),
    "## Step by step",
    `Relative L2 of the transformer on equal inputs / of the latents that each side reached by
itself.`,
    ...modes.flatMap((mode) => stepTable(lines, mode)),
    "## What was compared",
    table(
      ["case", "prompt", "size", "steps", "seed"],
      certificate.cases.map(({ name, prompt, width, height, steps, seed, guidance }) => [
        name,
        guidance === undefined ? prompt : `${prompt} (${guidanceText(guidance)})`,
        `${width}x${height}`,
        `${steps}`,
        `${seed}`,
      ]),
    ),
    table(["what", "which"], facts(certificate)),
    "",
  ].join("\n\n");
}

/** One row for each part: the worst of its lines. */
function summaryTable(lines: readonly Line[]): string {
  const parts = Map.groupBy(lines, ({ part, way }) => `${partTexts[part]}${wayText(way)}`);
  const rows = [...parts].map(([text, members]) => [
    text,
    `${members.length}`,
    worst(members),
    boundText(members[0]?.bound ?? {}, members[0]?.measured.kind),
    members.every((line) => line.pass) ? "pass" : "**fail**",
  ]);
  return table(["compared", "lines", "worst", "bound", "verdict"], rows);
}

function wayText(way: Line["way"]): string {
  if (way === undefined) return "";
  return way === "loader"
    ? "; adapters, through diffusers' loader there"
    : "; adapters, merged into the weights there";
}

function worst(lines: readonly Line[]): string {
  const found = lines.map((line) => line.measured);
  const tensors = found.filter((one) => one.kind === "tensor");
  const pictures = found.filter((one) => one.kind === "picture");
  const equals = found.filter((one) => one.kind === "equal");
  const max = (values: readonly number[]): number => Math.max(0, ...values);
  return [
    ...(tensors.length > 0
      ? [
          `rel. L2 ${short(max(tensors.map((one) => one.relL2)))}`,
          `max abs ${short(max(tensors.map((one) => one.maxAbs)))}`,
        ]
      : []),
    ...(pictures.length > 0
      ? [
          `PSNR ${decibels(pictures.map((one) => one.psnrDb))}`,
          `${max(pictures.map((one) => one.unequalPixels))} of ${pictures[0]?.pixels} pixels`,
          `by ${max(pictures.map((one) => one.levelsMax))} of 255`,
        ]
      : []),
    ...(equals.length > 0 ? [`${max(equals.map((one) => one.unequal))} elements differ`] : []),
  ].join(", ");
}

function boundText(bound: Bound, kind: Line["measured"]["kind"] | undefined): string {
  const { relL2Max, maxAbsShareMax, psnrDbMin, unequalShareMax } = bound;
  return [
    ...(kind === "equal" ? ["equal bit by bit"] : []),
    ...(relL2Max === undefined ? [] : [`rel. L2 ${relL2Max}`]),
    ...(maxAbsShareMax === undefined ? [] : [`max abs ${maxAbsShareMax} of the largest`]),
    ...(psnrDbMin === undefined ? [] : [`PSNR ${psnrDbMin} dB`]),
    ...(unequalShareMax === undefined ? [] : [`${100 * unequalShareMax} % of pixels`]),
  ].join(", ");
}

function stepTable(lines: readonly Line[], mode: string): string[] {
  const own = lines.filter((line) => line.mode === mode && line.step !== undefined);
  if (own.length === 0) return [];
  const count = Math.max(...own.map((line) => line.step ?? 0));
  const steps = Array.from({ length: count }, (_, at) => at + 1);
  const subjects = Map.groupBy(own, ({ subject, way }) =>
    way === undefined ? subject : `${subject} (${way})`,
  );
  const rows = [...subjects].map(([subject, members]) => [
    subject,
    ...steps.map((step) => {
      const at = members.filter((line) => line.step === step);
      return ["transformer", "latents"].map((part) => relL2Of(at, part)).join(" / ");
    }),
  ]);
  return [table([mode, ...steps.map((step) => `${step}`)], rows)];
}

function relL2Of(lines: readonly Line[], part: string): string {
  const found = lines.find((line) => line.part === part);
  return found?.measured.kind === "tensor" ? short(found.measured.relL2) : "";
}

function guidanceText(guidance: NonNullable<Case["guidance"]>): string {
  const { scale, negativePrompt, normalization, truncation } = guidance;
  const bounds = `normalization ${normalization}, truncation ${truncation}`;
  return `guided by ${scale} away from "${negativePrompt}", ${bounds}`;
}

function facts({ model, ours, reference, conditions }: Certificate): string[][] {
  return [
    ["model", `${model.name}, digest \`${model.digest}\``],
    ...model.loras.map(({ name, digest }) => [`adapter ${name}`, `SHA-256 \`${digest}\``]),
    ["ours", listOf(ours)],
    ["reference", listOf(reference)],
    ...Object.entries(conditions),
  ];
}

function listOf(versions: Readonly<Record<string, string>>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

function decibels(values: readonly (number | null)[]): string {
  const finite = values.filter((value) => value !== null);
  return finite.length === 0 ? "infinite" : `${Math.min(...finite).toFixed(1)} dB`;
}

function short(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

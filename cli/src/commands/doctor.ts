/** `zfarm doctor`: what this machine offers a farm, and what it lacks, in words. */
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import {
  chooseWeights,
  findMissingLibrary,
  findWebGpuProblem,
  openModelDirectory,
  releasedParameters,
  type WeightChoice,
} from "@zfarm/zimage";
import { findNatsServer } from "../../../tools/servers/nats-server.mjs";
import type { CommandContext } from "../command.ts";
import { shippedModelDir } from "../farm/local-farm.ts";
import { formatTable } from "../terminal.ts";
import {
  chooseForCpu,
  describeCards,
  describeRows,
  explainChoice,
  weightHeadings,
  workerMemoryBytes,
} from "../weight-report.ts";

type Finding = readonly [subject: string, mark: "ok" | "no", text: string];

export async function runDoctor(context: CommandContext): Promise<void> {
  const { values } = parseArgs({
    args: [...context.args],
    options: { model: { type: "string", default: shippedModelDir } },
  });
  const findings = [
    findNode(),
    await findBroker(context),
    findStore(context),
    ...(await findModel(values.model)),
    ...(await findDevices()),
  ];
  for (const line of formatTable(findings)) context.terminal.print(line);
  context.terminal.print("\nweights of the released 6B model on cpu, the preferred first:");
  // What it is stored as depends on where it was got; `zfarm model check` says so of a directory.
  const rows = [weightHeadings, ...describeRows(chooseForReleased())].map((row) => row.slice(0, 4));
  for (const line of formatTable(rows)) context.terminal.print(line);
  context.terminal.print(`on cuda: ${describeCards(releasedParameters)}`);
}

/** How the released models would be held here, if they were prepared in every way. */
function chooseForReleased(): WeightChoice {
  const memoryBytes = workerMemoryBytes();
  const parameters = releasedParameters;
  return chooseWeights({ device: "cpu", memoryBytes, parameters, stored: ["fp32", "bf16"] });
}

function findNode(): Finding {
  const memory = Math.round(totalmem() / 2 ** 30);
  return ["node", "ok", `${process.version}, ${cpus().length} processors, ${memory} GiB of memory`];
}

async function findBroker({ env, terminal }: CommandContext): Promise<Finding> {
  const given = env["NATS_URL"];
  if (given !== undefined && given !== "") return ["broker", "ok", `NATS_URL ${given}`];
  const found = await findNatsServer({ fetch: false, log: (line) => terminal.note(line) });
  if (found === undefined) {
    return ["broker", "no", "no nats-server yet: `zfarm up` tries to make one, else uses memory"];
  }
  return ["broker", "ok", `nats-server ${found.version} (${found.source})`];
}

function findStore({ env }: CommandContext): Finding {
  const endpoint = env["S3_ENDPOINT"];
  const text = endpoint === undefined ? "a folder (S3_ENDPOINT is not set)" : `S3 at ${endpoint}`;
  return ["store", "ok", text];
}

/** The model, and how its weights are held here. */
async function findModel(directory: string): Promise<Finding[]> {
  const memoryBytes = workerMemoryBytes();
  try {
    const model = await openModelDirectory(directory);
    const choice = chooseForCpu(model, memoryBytes);
    const mark = choice.chosen === undefined ? "no" : "ok";
    return [
      ["model", "ok", `${directory}, digest ${model.digest.slice(0, 12)}`],
      [
        "weights",
        mark,
        `this model: ${explainChoice(choice, memoryBytes, { ...model, directory })}`,
      ],
    ];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [["model", "no", `${directory}: ${reason}`]];
  }
}

/**
 * CUDA is not tried: the runtime writes to stderr where there is no card. WebGPU is tried in a
 * process of its own.
 */
async function findDevices(): Promise<Finding[]> {
  const missing = await findMissingLibrary();
  const card: Finding =
    missing === undefined
      ? ["device", "ok", "cuda: its libraries are there; a worker tries the card when it starts"]
      : ["device", "no", `cuda: ${missing} is missing`];
  const problem = await findWebGpuProblem();
  const webgpu: Finding =
    problem === undefined
      ? ["device", "ok", "webgpu, an experiment: an adapter answers"]
      : ["device", "no", `webgpu, an experiment: ${problem}`];
  return [["device", "ok", "cpu, float32"], card, webgpu];
}

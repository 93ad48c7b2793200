/** The image under test and the engine that runs it as strictly as a kubelet would. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { canMakeDebianBase, makeDebianBase } from "../../tools/images/debian-base.ts";
import { buildImage, type Engine, findEngine } from "../../tools/images/engine.ts";
import { repositoryRoot } from "../repository.ts";

export const image = "localhost/zfarm:test";
const probeMs = 60_000;

export interface FarmImage {
  readonly engine: Engine;
  /** The program and its arguments that run a container; the image and its arguments follow. */
  readonly run: readonly string[];
}

/** What every container of the chart is held to, and no limits beyond those of this process. */
const strict = [
  "run",
  "--rm",
  "--network=host",
  "--read-only",
  "--cap-drop=ALL",
  "--security-opt=no-new-privileges",
];
/** Podman would name the user and mount folders that may be written; Kubernetes does neither. */
const podman = ["--passwd=false", "--read-only-tmpfs=false", "--pull=never"];

/**
 * The engine, or undefined, said loudly, where nobody asked for these tests or nothing can run
 * containers here. They take minutes, and so they are asked for.
 */
export async function findEngineForTests(): Promise<Engine | undefined> {
  const isAsked = process.env["ZFARM_TEST_IMAGES"] === "1";
  const engine = isAsked ? await findEngine(["docker", "podman"]) : undefined;
  if (engine !== undefined) return engine;
  const how = isAsked ? "neither docker nor podman answers" : "run `npm run test:images`";
  process.stderr.write(`\n*** SKIPPED: building images and running them. ${how} ***\n\n`);
  return undefined;
}

/** Builds the image on Debian's packages where they can be had, else on the base that it names. */
export async function buildFarmImage(engine: Engine): Promise<FarmImage> {
  const { NODE_EXTRA_CA_CERTS: authorities } = process.env;
  const canMakeBase = await canMakeDebianBase();
  const nodeImage = canMakeBase ? await makeDebianBase(engine, repositoryRoot) : undefined;
  await buildImage(engine, {
    dockerfile: `${repositoryRoot}/deploy/docker/Dockerfile`,
    tag: image,
    context: repositoryRoot,
    ...(nodeImage === undefined ? {} : { nodeImage }),
    ...(authorities === undefined ? {} : { authorities }),
  });
  return { engine, run: await findStrictRun(engine) };
}

/** Podman's usual runtime knows no mixed control groups, and would raise limits that it may not. */
async function findStrictRun(engine: Engine): Promise<string[]> {
  const limits = await ownLimits();
  const own = [...strict, ...podman];
  const candidates =
    engine === "docker"
      ? [[engine, ...strict]]
      : [
          [engine, ...own],
          [engine, ...own, ...limits],
          [engine, "--runtime=runc", ...own, ...limits],
        ];
  const said: string[] = [];
  for (const candidate of candidates) {
    const [program = "", ...args] = candidate;
    const probe = [...args, "--memory=256m", image, "--version"];
    try {
      await promisify(execFile)(program, probe, { timeout: probeMs });
      return candidate;
    } catch (error) {
      said.push(String(error));
    }
  }
  throw new Error(`${engine} runs no container here: ${said.join("\n")}`);
}

async function ownLimits(): Promise<string[]> {
  const ask = async (flag: string): Promise<string> =>
    (await promisify(execFile)("sh", ["-c", `ulimit ${flag}`])).stdout.trim();
  const files = await ask("-Hn");
  return [`--ulimit=nofile=${files}:${files}`, "--ulimit=nproc=4096:4096"];
}

/** Bytes of all of its layers as they lie on a disk. */
export async function sizeOf({ engine }: FarmImage): Promise<number> {
  const inspect = ["image", "inspect", "--format", "{{.Size}}", image];
  return Number((await promisify(execFile)(engine, inspect)).stdout);
}

/** Runs a container to its end; its output. Rejects where it ends with another code than 0. */
export async function runOnce(farm: FarmImage, args: readonly string[]): Promise<string> {
  const [program = "", ...rest] = [...farm.run, ...args];
  return (await promisify(execFile)(program, rest)).stdout;
}

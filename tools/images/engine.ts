/** Which program makes images on this machine, and what it is told. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

export const engines = ["docker", "podman", "buildah"] as const;
export type Engine = (typeof engines)[number];

export interface Build {
  readonly dockerfile: string;
  readonly tag: string;
  /** The folder that the build may read. */
  readonly context: string;
  /** The base; the one that the Dockerfile names when absent. */
  readonly nodeImage?: string;
  /** File of certificates of a proxy that signs for npm's registry and Python's index. */
  readonly authorities?: string;
}

/** Steps in nothing but a changed root: they are our own, and so they run inside containers too. */
const isolation = { BUILDAH_ISOLATION: "chroot" };
const probeMs = 20_000;

/** The first that answers; a client of Docker without its daemon does not. */
export async function findEngine(wanted: readonly Engine[] = engines): Promise<Engine | undefined> {
  for (const engine of wanted) if (await answers(engine, ["info"])) return engine;
  return undefined;
}

export async function hasImage(engine: Engine, tag: string): Promise<boolean> {
  const look = engine === "buildah" ? ["inspect", "--type", "image"] : ["image", "inspect"];
  return answers(engine, [...look, tag]);
}

/** Builds an image; what the engine says goes to stderr. Rejects where it fails. */
export async function buildImage(engine: Engine, build: Build): Promise<void> {
  const env = { ...isolation, ...process.env };
  await runLoud([engine, ...buildArguments(engine, build)], env);
}

export function buildArguments(engine: Engine, build: Build): string[] {
  const { dockerfile, tag, context, nodeImage, authorities } = build;
  const args = ["build", "--file", dockerfile, "--tag", tag];
  // The others keep the layers of a build by themselves.
  if (engine === "buildah") args.push("--layers");
  if (nodeImage !== undefined) args.push("--build-arg", `NODE_IMAGE=${nodeImage}`);
  if (authorities !== undefined) args.push("--secret", `id=ca-certificates,src=${authorities}`);
  return [...args, context];
}

/** Runs a program with its output on stderr; rejects where it fails. */
export async function runLoud(
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { env, stdio: ["ignore", 2, 2] });
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code ?? signal}`);
}

async function answers(engine: Engine, args: readonly string[]): Promise<boolean> {
  return promisify(execFile)(engine, args, { timeout: probeMs }).then(
    () => true,
    () => false,
  );
}

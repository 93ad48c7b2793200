/**
 * Tries WebGPU in a process of its own: behind it are drivers of the system, which may crash or
 * never come back, and the runtime writes to stderr where there is none.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { missingIn } from "./missing-library.ts";

/** A driver compiles a shader of a few lines in it, on a slow machine too. */
const probeMs = 60_000;

/** How a process that tried a device ended. */
export interface ProbeEnd {
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const probeEntry = new URL("./webgpu-probe-process.ts", import.meta.url);

/** Why WebGPU cannot be used here, naming what is missing; undefined where it can. */
export async function findWebGpuProblem(entry = probeEntry): Promise<string | undefined> {
  const end = await run(fileURLToPath(entry));
  return end.code === 0 ? undefined : whyNot(end);
}

function run(entry: string): Promise<ProbeEnd> {
  const options = { timeout: probeMs, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [entry], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? undefined, stdout, stderr });
    });
  });
}

/** In words for whoever installs drivers. */
export function whyNot({ code, stdout, stderr }: ProbeEnd): string {
  if (code === undefined) return "its Vulkan driver crashed, or did not answer within a minute";
  const missing = missingIn(stderr);
  if (missing !== undefined) return `${missing} is missing`;
  if (stdout.includes("adapter")) return "no Vulkan driver offers an adapter that WebGPU takes";
  return stdout || `its probe ended with code ${code}`;
}

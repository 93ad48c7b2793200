/** Runs a part of the bench in a process of its own and watches its memory. */
import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { withLargePages } from "@zfarm/runtime";

export interface Watched<Answer> {
  readonly answer: Answer;
  /** Largest resident size, pages of mapped files included; what the system counts. */
  readonly peakRssGb: number;
  /** Largest part of it that is not backed by a file, sampled. */
  readonly peakAnonymousGb: number;
}

const sampleMs = 50;

/** The program gets `request` as JSON and sends its answer as its only message. */
export async function runWatched<Answer>(
  program: string,
  request: object,
): Promise<Watched<Answer>> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = fork(path, [JSON.stringify(request)], {
    // As the worker's engine has it.
    env: withLargePages(),
    stdio: ["ignore", 2, 2, "ipc"],
  });
  let answer: Answer | undefined;
  let how: string | undefined;
  child.once("message", (message) => {
    answer = message as Answer;
  });
  child.once("exit", (code, signal) => {
    how = `ended with ${code ?? signal}`;
  });
  let [peakRssGb, peakAnonymousGb] = [0, 0];
  while (how === undefined) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peakRssGb = Math.max(peakRssGb, gigabytes(status, "VmHWM"));
    peakAnonymousGb = Math.max(peakAnonymousGb, gigabytes(status, "RssAnon"));
    await sleep(sampleMs);
  }
  if (answer === undefined) throw new Error(`${program} ${how} and gave no answer`);
  return { answer, peakRssGb, peakAnonymousGb };
}

function gigabytes(status: string, key: string): number {
  const kibibytes = Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return Math.round((kibibytes * 1024) / 1e7) / 100;
}

/** What a process says of itself on its ops port. */
import type { ManagedProcess } from "./managed-process.ts";

const probeMs = 2_000;

async function get(process: ManagedProcess, path: string): Promise<Response | undefined> {
  if (process.opsAddress === undefined) return undefined;
  const address = `http://${process.opsAddress}${path}`;
  return fetch(address, { signal: AbortSignal.timeout(probeMs) }).catch(() => undefined);
}

/** Whether /readyz answers 200 now. */
export async function isReady(process: ManagedProcess): Promise<boolean> {
  const answer = await get(process, "/readyz");
  await answer?.body?.cancel();
  return answer?.status === 200;
}

/** Why it is not ready, in its own words; empty when it is, undefined when it does not answer. */
export async function problemsOf(process: ManagedProcess): Promise<string | undefined> {
  const answer = await get(process, "/readyz");
  if (answer === undefined) return undefined;
  const text = await answer.text();
  return answer.status === 200 ? "" : text.trim();
}

/** The sum of a metric over all of its labels that contain `label`; undefined without an answer. */
export async function metricOf(
  process: ManagedProcess,
  name: string,
  label = "",
): Promise<number | undefined> {
  const answer = await get(process, "/metrics");
  if (answer?.status !== 200) return undefined;
  let sum = 0;
  for (const line of (await answer.text()).split("\n")) {
    if (!line.startsWith(`${name} `) && !line.startsWith(`${name}{`)) continue;
    if (line.includes(label)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

/** The farm's side: CreateJob and WatchJob over gRPC, real gateway, scheduler and nats-server. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { repositoryRoot } from "../repository.ts";
import { type BenchFarm, openBenchFarm, readCpuSeconds } from "./bench-farm.ts";
import type { JobSide } from "./job-side.ts";

export async function openFarmSide(concurrency: number): Promise<JobSide> {
  const farm = await openBenchFarm();
  const scheduler = farm.start("scheduler");
  const gateway = farm.start("gateway", { GATEWAY_HOST: "127.0.0.1", GATEWAY_PORT: "0" });
  await scheduler.line("leading");
  const { port } = await gateway.line("gateway listens");
  const fleet = await startFleetProcess(farm, concurrency);
  const client = connectFarm({ address: `127.0.0.1:${String(port)}` });
  return {
    submit: (prompts, onDone) => submit(client, prompts, onDone),
    cpuSeconds: async () => ({
      gateway: await gateway.cpuSeconds(),
      scheduler: await scheduler.cpuSeconds(),
      workers: await readCpuSeconds(fleet.pid ?? 0),
      nats: await readCpuSeconds(farm.nats.pid ?? 0),
    }),
    stop: async () => {
      client.close();
      await stopFleetProcess(fleet);
      await farm.stop();
    },
  };
}

/** OK means stored; the outcomes come by a watch. */
async function submit(
  client: FarmClient,
  prompts: readonly string[],
  onDone: () => void,
): Promise<void> {
  const images = prompts.map((prompt) => ({ prompt, seed: 1n }));
  const { name } = await client.createJob({ images });
  void watch(client, name, onDone);
}

async function watch(client: FarmClient, name: string, onDone: () => void): Promise<void> {
  for await (const { event } of client.watchJob(name)) {
    if (event?.$case === "taskEnded") onDone();
  }
}

/** Workers of five slots, about what a worker has that is told nothing, as many as it takes. */
async function startFleetProcess(farm: BenchFarm, concurrency: number): Promise<ChildProcess> {
  const slots = 5;
  const args = [farm.nats.url, String(concurrency / slots), String(slots)];
  const child = fork(join(repositoryRoot, "test/bench/fleet-process.ts"), args);
  await once(child, "message");
  return child;
}

async function stopFleetProcess(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.disconnect();
  await exited;
}

/** How long the worker took to be of use, by phase, and what memory its engine holds now. */
import { readFile } from "node:fs/promises";
import type { App } from "@zfarm/runtime";
import { Gauge } from "@zfarm/runtime";
import type { EngineStart } from "./engine/protocol.ts";

/** As much of the engine as is shown. */
interface StartedEngine {
  readonly phases: EngineStart | undefined;
  readonly pid: number | undefined;
}

interface Start {
  /** The model is there; the engine's process is asked for anew with each scrape. */
  loaded(engine: StartedEngine): void;
}

/** From here on the engine starts: what the process did before that is its first phase. */
export function measureStart({ registry }: Pick<App, "registry">): Start {
  const seconds = new Gauge({
    name: "zfarm_worker_cold_start_seconds",
    help: "What this worker's start took, by phase: its process, the engine's, then the model.",
    labelNames: ["phase"],
    registers: [registry],
  });
  seconds.set({ phase: "process" }, process.uptime());
  return {
    loaded: (engine) => {
      const { processMs, weightsMs, sessionMs, warmUpMs } = engine.phases ?? {};
      const phases = { engine: processMs, weights: weightsMs, session: sessionMs };
      for (const [phase, ms] of Object.entries({ ...phases, warm_up: warmUpMs })) {
        if (ms !== undefined) seconds.set({ phase }, ms / 1_000);
      }
      showMemory(registry, engine);
    },
  };
}

function showMemory(registry: App["registry"], engine: StartedEngine): void {
  new Gauge({
    name: "zfarm_engine_resident_bytes",
    help: "Memory of the engine's process that is in RAM; absent where /proc does not say.",
    registers: [registry],
    async collect() {
      this.reset();
      const bytes = await residentBytes(engine.pid);
      if (bytes === undefined) this.remove();
      else this.set(bytes);
    },
  });
}

async function residentBytes(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    // Linux says kB and means KiB, whatever the size of its pages.
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1_024;
  } catch {
    return undefined;
  }
}

/** How long the worker took to be of use, by phase, and what memory its engine holds now. */
import { readFile } from "node:fs/promises";
import type { App } from "@zfarm/runtime";
import { Gauge } from "@zfarm/runtime";

interface Start {
  /** The model is there; the engine's process is asked for anew with each scrape. */
  loaded(engine: () => number | undefined): void;
}

/** From here on the engine starts: what the process did before that is its first phase. */
export function measureStart({ clock, registry }: Pick<App, "clock" | "registry">): Start {
  const seconds = new Gauge({
    name: "zfarm_worker_cold_start_seconds",
    help: "What this worker's start took, by phase: its process, then the model in the engine.",
    labelNames: ["phase"],
    registers: [registry],
  });
  const begunMs = clock.monotonic();
  seconds.set({ phase: "process" }, process.uptime());
  return {
    loaded: (engine) => {
      seconds.set({ phase: "model" }, (clock.monotonic() - begunMs) / 1_000);
      showMemory({ registry, engine });
    },
  };
}

function showMemory(needs: Pick<App, "registry"> & { engine(): number | undefined }): void {
  new Gauge({
    name: "zfarm_engine_resident_bytes",
    help: "Memory of the engine's process that is in RAM; absent where /proc does not say.",
    registers: [needs.registry],
    async collect() {
      this.reset();
      const bytes = await residentBytes(needs.engine());
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

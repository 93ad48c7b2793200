/**
 * The body of an engine process: opens the model, announces it, and obeys the parent's commands
 * until it is told to shut down or the parent is gone.
 */
import { type Clock, systemClock } from "@zfarm/runtime";
import { describeModelFailure, fileOf, loraFailureOf, messageOf } from "./failure.ts";
import type { Model } from "./model.ts";
import type { EngineCommand, EngineEvent, EngineSettings, LoraEvent } from "./protocol.ts";
import { RenderLoop } from "./render-loop.ts";

/** Serves until the end of the process. `open` gives the model of the settings, or throws. */
export async function hostEngine<Caption, Render>(
  open: (settings: EngineSettings) => Promise<Model<Caption, Render>>,
  clock: Clock = systemClock,
): Promise<void> {
  const settings = JSON.parse(process.argv[2] ?? "{}") as EngineSettings;
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  // A terminal signals the whole group; only the parent decides when the engine ends.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  // Without its parent nobody would take the pictures.
  process.on("disconnect", () => process.exit(0));

  const processMs = process.uptime() * 1_000;
  const model = await openOrExit(open, settings);
  const batchMax = settings.batchMax;
  const loop = new RenderLoop({ model, clock, batchMax, send });
  process.on("message", (message) => {
    const command = message as EngineCommand;
    switch (command.kind) {
      case "render":
        return loop.add(command.tasks);
      case "cancel":
        return loop.cancel(command.task);
      case "load-lora":
        return void loadLora(model, command, clock).then(send);
      case "drop-lora":
        return model.dropLora(command.digest);
      case "release":
        return loop.release(command.task);
      case "preview":
        return void loop.preview(command.task);
      case "shutdown":
        return stop();
    }
  });
  const { info, opening } = model;
  const start = opening === undefined ? {} : { start: { processMs, ...opening } };
  await send({ kind: "ready", info, ...start });
  await loop.run(stopping.signal);
  await model.close();
  process.exit(0);
}

async function loadLora(
  model: Pick<Model<unknown, unknown>, "loadLora">,
  { digest, path }: { readonly digest: string; readonly path: string },
  clock: Clock,
): Promise<LoraEvent> {
  const startedMs = clock.monotonic();
  try {
    const bytes = await model.loadLora(digest, path);
    return { kind: "lora-loaded", digest, bytes, loadMs: clock.monotonic() - startedMs };
  } catch (error) {
    return { kind: "lora-failed", digest, failure: loraFailureOf(error) };
  }
}

async function openOrExit<Caption, Render>(
  open: (settings: EngineSettings) => Promise<Model<Caption, Render>>,
  settings: EngineSettings,
): Promise<Model<Caption, Render>> {
  try {
    return await open(settings);
  } catch (error) {
    const failed = { kind: "failed", file: fileOf(error), message: messageOf(error) } as const;
    process.stderr.write(`engine: ${describeModelFailure(settings.modelDir, failed)}\n`);
    // The message must have left before the process does.
    await send(failed);
    process.exit(1);
  }
}

/** Resolves when the event is written, or when nobody is left to read it. */
function send(event: EngineEvent): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) resolve();
    else process.send(event, () => resolve());
  });
}

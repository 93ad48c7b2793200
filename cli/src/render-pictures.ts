/** Renders one or several pictures on a running farm, says how it goes, and saves the files. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { FarmClient } from "@zfarm/client";
import { FarmError, limits, type RenderedImage, type StreamRenderResponse } from "@zfarm/contract";
import { outputFile, type RenderOptions } from "./render-options.ts";
import type { Terminal } from "./terminal.ts";

interface RenderContext {
  readonly client: FarmClient;
  readonly terminal: Terminal;
  readonly stop: AbortSignal;
}

/** Tasks that one command keeps on the farm at once; the rest waits here. */
const inFlightMax = 64;

/**
 * Prints the absolute path of each picture, in order, once all are there. The first failure ends
 * the others and is thrown.
 */
export async function renderPictures(
  options: RenderOptions,
  { client, terminal, stop }: RenderContext,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  const paths = Array.from({ length: options.count }, () => "");
  const indices = paths.keys();

  const renderSome = async (): Promise<void> => {
    for (const index of indices) {
      signal.throwIfAborted();
      paths[index] = await renderOne(options, index, { client, terminal, stop: signal });
    }
  };
  const lanes = Array.from({ length: Math.min(options.count, inFlightMax) }, renderSome);
  try {
    await Promise.all(lanes);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(lanes);
    throw error;
  }
  for (const path of paths) terminal.print(path);
}

async function renderOne(
  options: RenderOptions,
  index: number,
  { client, terminal, stop }: RenderContext,
): Promise<string> {
  const label = options.count === 1 ? "" : `${index + 1}/${options.count} `;
  const events = client.streamRender(
    {
      prompt: options.prompt,
      width: options.width,
      height: options.height,
      steps: options.steps,
      guidance: options.guidance,
      loras: [...options.loras],
      seed: options.seed === undefined ? undefined : options.seed + BigInt(index),
    },
    {
      signal: stop,
      // Somebody waits and sees how far it is; a large picture on a processor takes its time.
      timeoutMs: limits.callMsMax,
      includeData: true,
      previews: options.preview !== undefined,
      ...(options.scheduling === undefined ? {} : { scheduling: options.scheduling }),
    },
  );
  for await (const event of events) {
    if (event.event?.$case === "preview") {
      await savePreview(event.event.value.image, options, index);
      continue;
    }
    terminal.note(`${label}${describe(event)}`);
    if (event.event?.$case !== "completed") continue;
    return await save(event.event.value, options, index);
  }
  throw new FarmError("INTERNAL", "the farm ended the stream without a picture");
}

function describe({ task, event }: StreamRenderResponse): string {
  switch (event?.$case) {
    case "queued":
      return `queued as ${task}, ${event.value.position} before it`;
    case "started":
      return `started on ${event.value.worker}, attempt ${event.value.attempt}`;
    case "step":
      return `step ${event.value.index} of ${event.value.total}`;
    case "preview":
      return `preview of step ${event.value.index} of ${event.value.total}`;
    case "completed":
      return `completed: ${event.value.sizeBytes} bytes, seed ${event.value.spec?.seed}`;
    case undefined:
      return "working";
  }
}

/** Whoever looks at the file sees the old preview or the new one, never a part. */
async function savePreview(
  image: Uint8Array,
  { preview = "", count }: RenderOptions,
  index: number,
): Promise<void> {
  const path = resolve(outputFile(preview, index, count));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, image);
  await rename(`${path}.part`, path);
}

async function save(image: RenderedImage, options: RenderOptions, index: number): Promise<string> {
  const seed = image.spec?.seed ?? 0n;
  const named = options.out === undefined ? `zfarm-${seed}.png` : options.out;
  const path = resolve(options.out === undefined ? named : outputFile(named, index, options.count));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, image.data);
  return path;
}

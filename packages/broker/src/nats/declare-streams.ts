/**
 * Makes sure the streams exist and are what the farm needs. Creates them only for a farm that
 * never held anything: where some exist and one is missing, state was lost, and starting over
 * empty would answer "no such job" for work that was accepted. A stream that a newer version of
 * the farm added is the exception; the layout noted on QUEUE tells the two apart.
 */
import type { JetStreamManager, StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { buckets, FarmError, streams } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import { classifyNatsError } from "./errors.ts";
import { type StreamSettings, type StreamSpec, streamLayout } from "./stream-specs.ts";

/**
 * "create" makes them for a farm that never held anything, "require" never, "recreate" makes what
 * is missing even where state was lost: for whoever restores that state afterwards.
 */
export type StreamsMode = "create" | "require" | "recreate";

export interface DeclareStreamsOptions {
  readonly manager: JetStreamManager;
  readonly specs: readonly StreamSpec[];
  readonly mode: StreamsMode;
  readonly clock: Clock;
  readonly log: Log;
}

/** Two processes that start together see each other's streams half declared; they look again. */
const looksMax = 6;
const lookAgainMs = 250;

/** Metadata of QUEUE, in which a farm keeps its layout; servers before 2.10 do not keep it. */
const layoutKey = "zfarm.layout";

/** The streams as they are, in the order of the specs. STATE_LOST, or the client's errors. */
export async function declareStreams(options: DeclareStreamsOptions): Promise<StreamInfo[]> {
  const { manager, specs, clock } = options;
  for (let look = 1; ; look += 1) {
    const infos = await Promise.all(specs.map(({ config }) => findStream(manager, config.name)));
    const present = infos.filter((info) => info !== undefined);
    if (present.length === specs.length) {
      present.forEach((info, index) => compareStream(info, { spec: specs[index], ...options }));
      await noteLayout(present, options);
      return present;
    }
    const missing = specs.filter((_, index) => infos[index] === undefined);
    const loss = lossOf(present, missing, options.mode);
    if (loss === undefined) {
      if (options.mode === "recreate") await forgetRestored(present, options);
      await createStreams(missing, options);
    } else if (look === looksMax) {
      throw new FarmError("STATE_LOST", loss);
    }
    await clock.sleep(loss === undefined ? 0 : lookAgainMs, new AbortController().signal);
  }
}

/** The stream's state, or undefined where the server knows none by that name. */
export async function findStream(
  manager: JetStreamManager,
  name: string,
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (classifyNatsError(error) === "no-stream") return undefined;
    throw error;
  }
}

/** Why the missing streams must not be created, in words. */
function lossOf(
  present: readonly StreamInfo[],
  missing: readonly StreamSpec[],
  mode: StreamsMode,
): string | undefined {
  const names = missing.map(({ config }) => config.name).join(", ");
  if (mode === "require") return `streams missing: ${names}; this process may not create them`;
  const used = present.find(isUsed);
  if (used === undefined || mode === "recreate") return undefined;
  const layout = layoutOf(present);
  if (layout !== undefined && missing.every((spec) => spec.layout > layout)) return undefined;
  return `streams missing: ${names}, while ${used.config.name} has been in use`;
}

/** Whether it ever held anything of a farm's work; its own record is there from the start. */
function isUsed({ config, state }: StreamInfo): boolean {
  return config.name !== `KV_${buckets.farm}` && state.last_seq >= firstOf(config);
}

/** The layout of the farm that made these streams; undefined where QUEUE, which knows, is lost. */
function layoutOf(present: readonly StreamInfo[]): number | undefined {
  const queue = present.find(({ config }) => config.name === streams.queue);
  return queue === undefined ? undefined : Number(queue.config.metadata?.[layoutKey] ?? 1);
}

/** From now on a stream of this layout that is missing was lost. */
async function noteLayout(
  present: readonly StreamInfo[],
  { manager, mode, log }: DeclareStreamsOptions,
): Promise<void> {
  // Whoever may not create streams takes every missing one for lost, and may lack the right.
  if (mode === "require" || (layoutOf(present) ?? 1) >= streamLayout) return;
  const queue = present.find(({ config }) => config.name === streams.queue);
  const metadata = { ...queue?.config.metadata, [layoutKey]: String(streamLayout) };
  await manager.streams.update(streams.queue, { metadata });
  log.info({ layout: streamLayout }, "layout of the streams noted");
}

/** Before anything is made: a farm that lost a stream is not restored, whatever was so before. */
async function forgetRestored(
  present: readonly StreamInfo[],
  { manager, log }: DeclareStreamsOptions,
): Promise<void> {
  const name = `KV_${buckets.farm}`;
  if (!present.some(({ config }) => config.name === name)) return;
  await manager.streams.purge(name);
  log.warn({ stream: name }, "streams are missing and made anew; the farm must be restored");
}

/** The first revision that a stream could give out; servers before 2.10 know only 1. */
function firstOf({ first_seq: first }: Partial<StreamConfig>): number {
  return first ?? 1;
}

async function createStreams(
  missing: readonly StreamSpec[],
  { manager, clock, log }: DeclareStreamsOptions,
): Promise<void> {
  for (const { config, firstRevision } of missing) {
    const first = firstRevision?.(clock.now());
    try {
      // The client writes into what it is given.
      const begin = first === undefined ? {} : { first_seq: first };
      await manager.streams.add({ ...config, ...begin });
      log.info({ stream: config.name }, "stream created");
    } catch (error) {
      // Another process was faster; what it made is compared like any other.
      if (classifyNatsError(error) !== "stream-exists") throw error;
    }
  }
}

interface CompareOptions {
  readonly spec: StreamSpec | undefined;
  readonly log: Log;
}

/** Refuses a stream that would break a guarantee; other differences are the operator's choice. */
function compareStream(info: StreamInfo, { spec, log }: CompareOptions): void {
  if (spec === undefined) return;
  const differing = (Object.keys(spec.config) as (keyof StreamSettings)[]).filter(
    (key) => JSON.stringify(info.config[key] ?? false) !== JSON.stringify(spec.config[key]),
  );
  const broken = differing.filter((key) => spec.vital.some((each) => each === key));
  const describe = (key: keyof StreamSettings): string => {
    const [found, wanted] = [info.config[key] ?? false, spec.config[key]];
    return `${key} is ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)}`;
  };
  if (broken.length > 0) {
    const what = broken.map(describe).join("; ");
    throw new FarmError("STATE_LOST", `stream ${info.config.name} cannot be trusted: ${what}`);
  }
  if (differing.length > 0) {
    const differences = differing.map(describe);
    log.info({ stream: info.config.name, differences }, "stream differs, kept as it is");
  }
}

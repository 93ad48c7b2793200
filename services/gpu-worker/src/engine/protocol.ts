/**
 * What the worker and its engine process say to each other over the child's IPC channel, with
 * the structured clone of Node's "advanced" serialization: bigint and bytes travel as they are.
 */
import type { Guidance, LoraArchitecture, TaskFailure } from "@zfarm/contract";
import type { Patience, WeightMode } from "@zfarm/zimage";

/** What the engine opens; passed as its only argument, as JSON. */
export interface EngineSettings {
  readonly modelDir: string;
  /** Device class, for example "cpu". */
  readonly device: string;
  /** Threads of one run; absent: the runtime decides. */
  readonly threads?: number;
  /**
   * Threads of one run of the text encoder and the decoder, on a thread beside the steps; absent:
   * they run between the steps.
   */
  readonly sideThreads?: number;
  /** How weights are held; absent: what memory allows. */
  readonly weights?: WeightMode;
  /** What the model may take of memory; absent: what the machine has. */
  readonly memoryBytes?: number;
  /** What of the machine's memory is not for the model but for adapters. */
  readonly reservedBytes?: number;
  /** Engines before this one that the system killed for lack of memory; absent: none. */
  readonly memoryLessons?: number;
  /** Tasks that may be between their prompt and their last denoise step at once. */
  readonly batchMax: number;
  /** Bytes that adapters laid side by side for a batch may take beside the adapters themselves. */
  readonly loraJoinBytes?: number;
}

/** One picture to draw. `task` names the attempt; the engine only gives it back. */
export interface RenderTask {
  readonly task: string;
  readonly prompt: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly seed: bigint;
  /** Absent: none. */
  readonly guidance?: Guidance | undefined;
  /** Adapters, each loaded before; absent: the bare model. */
  readonly stack?: readonly StackedLora[];
  /** Where another engine left it; one that does not fit the picture is ignored. */
  readonly resume?: Resume;
}

/** One adapter of a picture. */
export interface StackedLora {
  /** SHA-256 of the adapter's file, hexadecimal. */
  readonly digest: string;
  readonly weight: number;
}

/** A picture between two denoise steps. */
export interface Resume {
  /** Steps done. */
  readonly step: number;
  /** float32, as the model has them. */
  readonly latents: Float32Array;
}

/** The model that an engine holds, as @zfarm/zimage describes it. */
export interface EngineInfo {
  readonly name: string;
  /** SHA-256 over the model's files, hexadecimal. */
  readonly digest: string;
  /** How the engine holds its weights. */
  readonly weights: WeightMode;
  /** Sides must be multiples of this many pixels. */
  readonly sizeMultiple: number;
  readonly pixelsMax: number;
  readonly stepsDefault: number;
  /** Scale of the guidance that the model wants; undefined for a distilled one. */
  readonly guidanceDefault: number | undefined;
  readonly widthDefault: number;
  readonly heightDefault: number;
  /** How long its runs may take beside `limits.engineStepMs`; absent: no longer than that. */
  readonly patience?: Patience;
  /** What adapters are checked against; absent: the model says nothing of it. */
  readonly loraArchitecture?: LoraArchitecture;
}

/** Milliseconds of an engine's start, one phase after the other. */
export interface EngineStart {
  /** Its process, until it looks for the model. */
  readonly processMs: number;
  /** Finding and checking the files of the model. */
  readonly weightsMs: number;
  /** Opening sessions, which read or map weights. */
  readonly sessionMs: number;
  /** A first picture for nobody; 0 where networks take turns and it would help little. */
  readonly warmUpMs: number;
}

/** Milliseconds that one picture spent in each stage; work done for a batch counts for each. */
export interface RenderTimings {
  /**
   * What the picture cost the device: the time of each run divided by the pictures in it, of
   * failed runs too. Over all pictures the sum is what the device worked.
   */
  readonly deviceMs: number;
  readonly textEncodeMs: number;
  readonly denoiseMs: number;
  readonly vaeDecodeMs: number;
  readonly encodeFileMs: number;
}

export type EngineCommand =
  /** Tasks of one grant; each joins the others before the next denoise step. */
  | { readonly kind: "render"; readonly tasks: readonly RenderTask[] }
  /** Takes effect before the next denoise step; harmless for a task that has ended. */
  | { readonly kind: "cancel"; readonly task: string }
  /** The same, but what was done of it is given out. */
  | { readonly kind: "release"; readonly task: string }
  /** Asks for one preview of where the task is now; answered with preview or no-preview. */
  | { readonly kind: "preview"; readonly task: string }
  /** Reads an adapter's file and holds the adapter; answered with lora-loaded or lora-failed. */
  | { readonly kind: "load-lora"; readonly digest: string; readonly path: string }
  /** Lets go of an adapter that no task in the engine uses. */
  | { readonly kind: "drop-lora"; readonly digest: string }
  | { readonly kind: "shutdown" };

/** How a task ended inside the engine: the last event about it. */
export type RenderEnd =
  | { readonly kind: "finished"; readonly png: Uint8Array; readonly timings: RenderTimings }
  | { readonly kind: "failed"; readonly failure: TaskFailure }
  /** Left before its last step; the denoise steps that were never run for it. */
  | { readonly kind: "canceled"; readonly stepsSaved: number }
  /** Absent: not a step was done. */
  | { readonly kind: "released"; readonly done: Resume | undefined };

export type EngineEvent =
  | { readonly kind: "ready"; readonly info: EngineInfo; readonly start?: EngineStart }
  /** The model could not be opened; the process exits with code 1. */
  | { readonly kind: "failed"; readonly file: string | undefined; readonly message: string }
  /** The engine began with the task: from here on a crash may be the task's doing. */
  | { readonly kind: "started"; readonly task: string }
  | StepEvent
  /** What was done of a task, after a step so long that a stop might not wait for the next. */
  | { readonly kind: "latents"; readonly task: string; readonly done: Resume }
  | (TaskPreview & { readonly kind: "preview" })
  /** There was none to show, or it failed. */
  | { readonly kind: "no-preview"; readonly task: string }
  | LoraEvent
  | { readonly kind: "ended"; readonly task: string; readonly end: RenderEnd };

export type LoraEvent =
  | {
      readonly kind: "lora-loaded";
      readonly digest: string;
      /** What the adapter takes in the engine's memory. */
      readonly bytes: number;
      readonly loadMs: number;
    }
  | { readonly kind: "lora-failed"; readonly digest: string; readonly failure: LoraFailure };

/** corrupt: the file is not the one that the digest names. refused: the model cannot use it. */
export interface LoraFailure {
  readonly kind: "corrupt" | "refused" | "unreadable";
  readonly message: string;
}

/** One denoise run is done: each task of the batch is one step further. */
export interface StepEvent {
  readonly kind: "step";
  readonly stepMs: number;
  readonly steps: readonly TaskStep[];
}

/** A small picture of where a task is heading. */
export interface TaskPreview extends TaskStep {
  /** JPEG. */
  readonly image: Uint8Array;
}

export interface TaskStep {
  readonly task: string;
  /** 1 to total. */
  readonly index: number;
  readonly total: number;
}

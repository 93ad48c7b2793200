/**
 * The model as the engine drives it: @zfarm/zimage behind a few verbs. An interface of its own so
 * that the engine's tests can drive a model that misbehaves on request.
 */
import type { EngineInfo, EngineStart, RenderTask } from "./protocol.ts";

/** A decoded picture: row-major RGB, three bytes a pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Errors with the code INPUT_INVALID are the task's own fault; every other error is the engine's.
 * `Caption` and `Render` belong to the model and are only handed back to it.
 */
export interface Model<Caption, Render> {
  readonly info: EngineInfo;
  /** What opening it took, where somebody measured that. */
  readonly opening?: Omit<EngineStart, "processMs">;
  /** Whether prompts are encoded and pictures decoded while steps run, not between them. */
  readonly worksBeside: boolean;
  /** Throws where the model cannot draw the task. */
  check(task: RenderTask): void;
  /**
   * Reads an adapter's file and holds the adapter under its digest until it is dropped; the bytes
   * it takes. Throws OBJECT_CORRUPT where the file is another one, LORA_INVALID where the model
   * cannot use it. Runs beside denoise steps.
   */
  loadLora(digest: string, path: string): Promise<number>;
  dropLora(digest: string): void;
  /** Whether the adapters of these tasks, all of them loaded, fit into one run together. */
  fitOneRun(tasks: readonly RenderTask[]): boolean;
  /**
   * Tasks of one group can share a run, and a run of them costs about the same every time. Only
   * for tasks that passed the check.
   */
  groupOf(task: RenderTask): string;
  /** One caption a task, in order: of its prompt, and of its negative prompt if it is guided. */
  encodePrompts(tasks: readonly RenderTask[]): Promise<Caption[]>;
  /**
   * The render before its first step, or after those of `task.resume`, with its adapters, which
   * are loaded. Throws where that is bad.
   */
  start(task: RenderTask, caption: Caption): Render;
  /** Denoise steps that the render is past. */
  stepsDone(render: Render): number;
  /** One denoise step for all, whose tasks are of one group. Where it fails, none has changed. */
  step(batch: readonly Render[]): Promise<void>;
  /** Its latents now, float32; they must not be written to. */
  latentsOf(render: Render): Float32Array;
  /** A small JPEG of where the render is heading; cheap, and encoded beside the next steps. */
  preview(render: Render): Promise<Uint8Array>;
  /** Whether every number of the latent is finite. */
  isFinite(render: Render): boolean;
  decode(render: Render): Promise<Picture>;
  /** The PNG with its metadata; runs beside the next denoise steps. */
  encodeFile(picture: Picture, task: RenderTask): Promise<Uint8Array>;
  close(): Promise<void>;
}

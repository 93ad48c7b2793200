/** A task inside the engine, from arrival to end: what the stages of the loop tell each other. */
import type { RenderTask, RenderTimings } from "./protocol.ts";

/** `caption` and `render` belong to the model and appear as the task gets there. */
export interface Member<Caption, Render> {
  readonly task: RenderTask;
  readonly arrivedMs: number;
  /** Which tasks can share a run, in the model's words. */
  readonly group: string;
  /** Set after a failed batch: this one steps by itself, so that it fails by itself. */
  alone: boolean;
  /** It leaves before its next step; "released" with what was done of it. */
  leaving: "canceled" | "released" | undefined;
  /** Its prompt is being encoded. */
  isPreparing: boolean;
  /** Whether its end was told: there is one for every task. */
  hasEnded: boolean;
  caption: Caption | undefined;
  render: Render | undefined;
  textEncodeMs: number;
  denoiseMs: number;
  /** Its share of every run it was in. */
  deviceMs: number;
}

/** A member whose noise is drawn: it can step. */
export type Started<Caption, Render> = Member<Caption, Render> & { render: Render };

export function createMember<Caption, Render>(
  task: RenderTask,
  given: { readonly arrivedMs: number; readonly group: string },
): Member<Caption, Render> {
  return {
    task,
    ...given,
    alone: false,
    leaving: undefined,
    isPreparing: false,
    hasEnded: false,
    caption: undefined,
    render: undefined,
    textEncodeMs: 0,
    denoiseMs: 0,
    deviceMs: 0,
  };
}

/** Divides the time of one run among those who were in it; gives the time back. */
export function chargeDevice(members: readonly { deviceMs: number }[], tookMs: number): number {
  for (const member of members) member.deviceMs += tookMs / members.length;
  return tookMs;
}

export function stagesOf(
  member: Member<unknown, unknown>,
): Pick<RenderTimings, "textEncodeMs" | "denoiseMs" | "deviceMs"> {
  const { textEncodeMs, denoiseMs, deviceMs } = member;
  return { textEncodeMs, denoiseMs, deviceMs };
}

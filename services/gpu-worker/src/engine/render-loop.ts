/**
 * The engine's one loop: admit, one denoise step for the whole batch, let finished pictures out,
 * yield. Runs block the thread, so everything that must take effect (cancels above all) does so
 * in the yield between two steps. Files are encoded beside the next steps.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { Clock } from "@zfarm/runtime";
import { countJoiners } from "./batch-queue.ts";
import { failureOf, failureOfLatent } from "./failure.ts";
import type { Model } from "./model.ts";
import type { EngineEvent, RenderEnd, RenderTask, RenderTimings } from "./protocol.ts";

interface RenderLoopNeeds<Caption, Render> {
  readonly model: Model<Caption, Render>;
  readonly clock: Clock;
  readonly batchMax: number;
  /** Resolves once the event has left the process. */
  readonly send: (event: EngineEvent) => Promise<void>;
}

/** A task in the engine; `caption` and `render` appear as it gets there. */
interface Member<Caption, Render> {
  readonly task: RenderTask;
  alone: boolean;
  canceled: boolean;
  caption: Caption | undefined;
  render: Render | undefined;
  stepsDone: number;
  textEncodeMs: number;
  denoiseMs: number;
  /** Its share of every run it was in. */
  deviceMs: number;
}

type Started<Caption, Render> = Member<Caption, Render> & { render: Render };

export class RenderLoop<Caption, Render> {
  readonly #needs: RenderLoopNeeds<Caption, Render>;
  #waiting: Member<Caption, Render>[] = [];
  #active: Started<Caption, Render>[] = [];
  #wake: () => void = () => {};
  /** Ends that are still on their way to the parent. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(needs: RenderLoopNeeds<Caption, Render>) {
    this.#needs = needs;
  }

  add(tasks: readonly RenderTask[]): void {
    for (const task of tasks) this.#waiting.push(createMember(task));
    this.#wake();
  }

  /** Marks the task; it leaves before the next step. */
  cancel(task: string): void {
    for (const member of [...this.#waiting, ...this.#active]) {
      if (member.task.task === task) member.canceled = true;
    }
    this.#wake();
  }

  /** Renders until stopped; stops between two steps. */
  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener("abort", () => this.#wake(), { once: true });
    while (!stop.aborted) {
      this.#dropCanceled();
      await this.#admit();
      if (this.#active.length === 0) {
        await this.#nextWork(stop);
        continue;
      }
      // A run blocks the thread, and with it whatever part of a picture the pipe had no room for.
      await this.#sending;
      await this.#step();
      await this.#finishDone();
      await yieldToEventLoop();
    }
  }

  /** Resolves when something may have to be done; nothing that came before the call is missed. */
  #nextWork(stop: AbortSignal): Promise<void> {
    if (stop.aborted || this.#waiting.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #dropCanceled(): void {
    const canceled = [...this.#waiting, ...this.#active].filter((member) => member.canceled);
    if (canceled.length === 0) return;
    this.#waiting = this.#waiting.filter((member) => !member.canceled);
    this.#active = this.#active.filter((member) => !member.canceled);
    for (const member of canceled) this.#end(member, { kind: "canceled" });
  }

  async #admit(): Promise<void> {
    const count = countJoiners(this.#waiting, this.#active, this.#needs.batchMax);
    if (count === 0) return;
    const joiners = this.#waiting.splice(0, count);
    const accepted = joiners.filter((member) => this.#begin(member));
    await this.#encodePrompts(accepted.filter((member) => member.caption === undefined));
    for (const member of accepted) this.#start(member);
  }

  /** Whether the model takes the task; where not, it has ended. */
  #begin(member: Member<Caption, Render>): boolean {
    if (member.caption === undefined) {
      void this.#needs.send({ kind: "started", task: member.task.task });
    }
    try {
      this.#needs.model.check(member.task);
      return true;
    } catch (error) {
      this.#fail(member, error);
      return false;
    }
  }

  /** All prompts in one run; if that fails, one by one, so that only the bad one ends. */
  async #encodePrompts(members: readonly Member<Caption, Render>[]): Promise<void> {
    if (members.length === 0) return;
    const { model, clock } = this.#needs;
    const startedMs = clock.monotonic();
    const charge = (): number => chargeDevice(members, clock.monotonic() - startedMs);
    try {
      const captions = await model.encodePrompts(members.map((member) => member.task));
      const tookMs = charge();
      for (const [index, member] of members.entries()) {
        member.caption = captions[index];
        member.textEncodeMs = tookMs;
      }
    } catch (error) {
      charge();
      const [only, ...others] = members;
      if (only !== undefined && others.length === 0) this.#fail(only, error);
      else for (const member of members) await this.#encodePrompts([member]);
    }
  }

  #start(member: Member<Caption, Render>): void {
    if (member.caption === undefined) return;
    try {
      const render = this.#needs.model.start(member.task, member.caption);
      this.#active.push(Object.assign(member, { render }));
    } catch (error) {
      this.#fail(member, error);
    }
  }

  async #step(): Promise<void> {
    const { model, clock, send } = this.#needs;
    const batch = [...this.#active];
    const startedMs = clock.monotonic();
    try {
      await model.step(batch.map((member) => member.render));
    } catch (error) {
      chargeDevice(batch, clock.monotonic() - startedMs);
      this.#retryAlone(batch, error);
      return;
    }
    const stepMs = chargeDevice(batch, clock.monotonic() - startedMs);
    const steps = batch.map((member) => {
      member.stepsDone += 1;
      member.denoiseMs += stepMs;
      return { task: member.task.task, index: member.stepsDone, total: member.task.steps };
    });
    void send({ kind: "step", stepMs, steps });
  }

  /** A failed run does not say whose fault it was: every member starts again by itself. */
  #retryAlone(batch: readonly Started<Caption, Render>[], error: unknown): void {
    this.#active = [];
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      this.#fail(only, error);
      return;
    }
    for (const member of batch) {
      Object.assign(member, { alone: true, render: undefined, stepsDone: 0 });
    }
    this.#waiting.unshift(...batch);
  }

  /** Decodes one by one: the first picture is on its way while the next is decoded. */
  async #finishDone(): Promise<void> {
    const done = this.#active.filter((member) => member.stepsDone >= member.task.steps);
    this.#active = this.#active.filter((member) => !done.includes(member));
    for (const member of done) {
      if (member.canceled) this.#end(member, { kind: "canceled" });
      else await this.#decode(member);
    }
  }

  async #decode(member: Started<Caption, Render>): Promise<void> {
    const { model, clock } = this.#needs;
    if (!model.isFinite(member.render)) {
      const failure = failureOfLatent(member.stepsDone);
      this.#end(member, { kind: "failed", failure });
      return;
    }
    const startedMs = clock.monotonic();
    try {
      const picture = await model.decode(member.render);
      const decodedMs = clock.monotonic();
      const vaeDecodeMs = chargeDevice([member], decodedMs - startedMs);
      const finish = (png: Uint8Array): void => {
        const encodeFileMs = clock.monotonic() - decodedMs;
        const timings = { ...pickStages(member), vaeDecodeMs, encodeFileMs };
        this.#end(member, { kind: "finished", png, timings });
      };
      // Not awaited: the file is encoded on other threads while the next steps run.
      model
        .encodeFile(picture, member.task)
        .then(finish)
        .catch((error: unknown) => this.#fail(member, error));
    } catch (error) {
      this.#fail(member, error);
    }
    await yieldToEventLoop();
  }

  #fail(member: Member<Caption, Render>, error: unknown): void {
    this.#end(member, { kind: "failed", failure: failureOf(error) });
  }

  #end(member: Member<Caption, Render>, end: RenderEnd): void {
    const sent = this.#needs.send({ kind: "ended", task: member.task.task, end });
    this.#sending = Promise.all([this.#sending, sent]);
  }
}

function createMember<Caption, Render>(task: RenderTask): Member<Caption, Render> {
  return {
    task,
    alone: false,
    canceled: false,
    caption: undefined,
    render: undefined,
    stepsDone: 0,
    textEncodeMs: 0,
    denoiseMs: 0,
    deviceMs: 0,
  };
}

/** Divides the time of one run among those who were in it; gives the time back. */
function chargeDevice(members: readonly { deviceMs: number }[], tookMs: number): number {
  for (const member of members) member.deviceMs += tookMs / members.length;
  return tookMs;
}

function pickStages(
  member: Member<unknown, unknown>,
): Pick<RenderTimings, "textEncodeMs" | "denoiseMs" | "deviceMs"> {
  const { textEncodeMs, denoiseMs, deviceMs } = member;
  return { textEncodeMs, denoiseMs, deviceMs };
}

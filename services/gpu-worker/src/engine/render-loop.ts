/**
 * The engine's one loop: admit, one denoise step for the batch that is chosen, let finished
 * pictures out, yield. Runs block the thread, so everything that must take effect (cancels above
 * all) does so in the yield between two steps. Where the model works beside the steps, prompts are
 * encoded as soon as tasks are admitted, and nothing waits for a picture to be decoded.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { chooseBatch } from "./choose-batch.ts";
import { failureOf } from "./failure.ts";
import { chargeDevice, createMember, type Member, type Started } from "./member.ts";
import type { Model } from "./model.ts";
import { finishPicture } from "./picture-stage.ts";
import { makePreview } from "./preview-stage.ts";
import { startRenders } from "./prompt-stage.ts";
import type { EngineEvent, RenderEnd, RenderTask, Resume } from "./protocol.ts";
import { StepCosts } from "./step-costs.ts";

interface RenderLoopNeeds<Caption, Render> {
  readonly model: Model<Caption, Render>;
  readonly clock: Clock;
  /** Tasks that take turns; further ones wait. */
  readonly batchMax: number;
  /** Resolves once the event has left the process. */
  readonly send: (event: EngineEvent) => Promise<void>;
}

export class RenderLoop<Caption, Render> {
  readonly #needs: RenderLoopNeeds<Caption, Render>;
  readonly #costs = new StepCosts();
  #waiting: Member<Caption, Render>[] = [];
  #active: Member<Caption, Render>[] = [];
  #wake: () => void = () => {};
  /** Something has happened since the loop last looked. */
  #hasNews = false;
  /** Ends that are still on their way to the parent. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(needs: RenderLoopNeeds<Caption, Render>) {
    this.#needs = needs;
  }

  add(tasks: readonly RenderTask[]): void {
    const { model, clock } = this.#needs;
    const arrivedMs = clock.monotonic();
    for (const task of tasks) {
      try {
        model.check(task);
        this.#waiting.push(createMember(task, { arrivedMs, group: model.groupOf(task) }));
      } catch (error) {
        this.#tell(task, { kind: "failed", failure: failureOf(error) });
      }
    }
    this.#noteNews();
  }

  /** Marks the task; it leaves before the next step. */
  cancel(task: string): void {
    this.#mark(task, "canceled");
  }

  /** The same, but its end tells what was done of it. */
  release(task: string): void {
    this.#mark(task, "released");
  }

  /** Sends a preview of where the task is now, or that there is none. */
  async preview(task: string): Promise<void> {
    const member = this.#active.filter(isStarted).find((active) => active.task.task === task);
    const preview = member && (await makePreview(this.#needs.model, member));
    await this.#needs.send(
      preview === undefined ? { kind: "no-preview", task } : { kind: "preview", ...preview },
    );
  }

  #mark(task: string, leaving: "canceled" | "released"): void {
    for (const member of [...this.#waiting, ...this.#active]) {
      if (member.task.task === task) member.leaving = leaving;
    }
    this.#noteNews();
  }

  /** Renders until stopped; stops between two steps. */
  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener("abort", () => this.#noteNews(), { once: true });
    while (!stop.aborted) {
      this.#hasNews = false;
      this.#letOut();
      this.#admit();
      const steppable = this.#steppable();
      if (steppable.length === 0) {
        await this.#nextNews();
        continue;
      }
      // A run blocks the thread, and with it whatever part of a picture the pipe had no room for.
      await this.#sending;
      await this.#step(await this.#prepare(this.#choose(steppable)));
      await this.#finishDone();
      await yieldToEventLoop();
    }
  }

  #noteNews(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Resolves when something may have to be done; nothing is missed. */
  #nextNews(): Promise<void> {
    if (this.#hasNews) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #letOut(): void {
    const isStaying = ({ leaving }: Member<Caption, Render>): boolean => leaving === undefined;
    const leaving = [...this.#waiting, ...this.#active].filter((member) => !isStaying(member));
    if (leaving.length === 0) return;
    this.#waiting = this.#waiting.filter(isStaying);
    this.#active = this.#active.filter(isStaying);
    for (const member of leaving) this.#endEarly(member);
  }

  #admit(): void {
    const joiners = this.#waiting.splice(0, this.#needs.batchMax - this.#active.length);
    this.#active.push(...joiners);
    if (!this.#needs.model.worksBeside || joiners.length === 0) return;
    for (const member of joiners) member.isPreparing = true;
    void this.#prepare(joiners).then(() => {
      for (const member of joiners) member.isPreparing = false;
      this.#noteNews();
    });
  }

  #steppable(): Member<Caption, Render>[] {
    return this.#active.filter((member) => !member.isPreparing);
  }

  #choose(members: readonly Member<Caption, Render>[]): Member<Caption, Render>[] {
    const steppable = members.map((member) => ({
      member,
      group: member.group,
      alone: member.alone,
      steps: member.task.steps,
      stepsLeft: this.#stepsLeft(member),
      arrivedMs: member.arrivedMs,
    }));
    const costOf = (group: string, pictures: number) => this.#costs.msOf(group, pictures);
    const nowMs = this.#needs.clock.monotonic();
    const fit = (tasks: readonly { member: Member<Caption, Render> }[]): boolean =>
      this.#needs.model.fitOneRun(tasks.map(({ member }) => member.task));
    return chooseBatch(steppable, { costOf, fit }, nowMs).map(({ member }) => member);
  }

  /**
   * Those of the batch that can step. A prompt that is encoded between steps is so only when its
   * task's turn has come.
   */
  async #prepare(
    batch: readonly Member<Caption, Render>[],
  ): Promise<readonly Started<Caption, Render>[]> {
    const { model, clock, send } = this.#needs;
    const fail = this.#fail.bind(this);
    const fresh = batch.filter((member) => !isStarted(member));
    for (const { task } of fresh) void send({ kind: "started", task: task.task });
    await startRenders({ model, clock, fail }, fresh);
    return batch.filter(isStarted);
  }

  async #step(batch: readonly Started<Caption, Render>[]): Promise<void> {
    const { model, clock, send } = this.#needs;
    const [first] = batch;
    if (first === undefined) return;
    const startedMs = clock.monotonic();
    try {
      await model.step(batch.map((member) => member.render));
    } catch (error) {
      chargeDevice(batch, clock.monotonic() - startedMs);
      this.#blame(batch, error);
      return;
    }
    const stepMs = chargeDevice(batch, clock.monotonic() - startedMs);
    this.#costs.note(first.group, { pictures: batch.length, tookMs: stepMs });
    const steps = batch.map((member) => {
      member.denoiseMs += stepMs;
      const { task, steps: total } = member.task;
      return { task, index: model.stepsDone(member.render), total };
    });
    void send({ kind: "step", stepMs, steps });
    if (stepMs >= limits.latentsStepMs) await this.#giveOut(batch);
  }

  /** Waited for: the next run blocks the thread, and with it what has not left the process. */
  async #giveOut(batch: readonly Started<Caption, Render>[]): Promise<void> {
    const sent = batch.flatMap((member) => {
      const done = this.#stepsLeft(member) > 0 ? this.#doneOf(member) : undefined;
      if (done === undefined) return [];
      return this.#needs.send({ kind: "latents", task: member.task.task, done });
    });
    await Promise.all(sent);
  }

  /**
   * A failed run does not say whose fault it was: from now on every member steps by itself, from
   * where it is, since a failed run changes no latent.
   */
  #blame(batch: readonly Started<Caption, Render>[], error: unknown): void {
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) this.#fail(only, error);
    else for (const member of batch) member.alone = true;
  }

  /** Decodes one by one: the first picture is on its way while the next is decoded. */
  async #finishDone(): Promise<void> {
    const { model, clock } = this.#needs;
    const done = this.#active.filter((member) => this.#stepsLeft(member) <= 0).filter(isStarted);
    const fail = this.#fail.bind(this);
    const end = this.#end.bind(this);
    for (const member of done) {
      this.#leave(member);
      if (member.leaving === "canceled") {
        this.#endEarly(member);
        continue;
      }
      const finishing = finishPicture({ model, clock, fail, end }, member);
      if (!model.worksBeside) await finishing;
      await yieldToEventLoop();
    }
  }

  #stepsLeft({ render, task }: Member<Caption, Render>): number {
    return task.steps - (render === undefined ? 0 : this.#needs.model.stepsDone(render));
  }

  #endEarly(member: Member<Caption, Render>): void {
    const end: RenderEnd =
      member.leaving === "released"
        ? { kind: "released", done: this.#doneOf(member) }
        : { kind: "canceled", stepsSaved: this.#stepsLeft(member) };
    this.#end(member, end);
  }

  #doneOf({ render }: Member<Caption, Render>): Resume | undefined {
    const { model } = this.#needs;
    if (render === undefined || model.stepsDone(render) === 0) return undefined;
    return { step: model.stepsDone(render), latents: model.latentsOf(render) };
  }

  #fail(member: Member<Caption, Render>, error: unknown): void {
    this.#leave(member);
    this.#end(member, { kind: "failed", failure: failureOf(error) });
  }

  #leave(member: Member<Caption, Render>): void {
    this.#active = this.#active.filter((active) => active !== member);
  }

  #end(member: Member<Caption, Render>, end: RenderEnd): void {
    if (member.hasEnded) return;
    member.hasEnded = true;
    this.#tell(member.task, end);
  }

  #tell({ task }: RenderTask, end: RenderEnd): void {
    const sent = this.#needs.send({ kind: "ended", task, end });
    this.#sending = Promise.all([this.#sending, sent]);
  }
}

function isStarted<Caption, Render>(
  member: Member<Caption, Render>,
): member is Started<Caption, Render> {
  return member.render !== undefined;
}

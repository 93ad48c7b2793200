/**
 * How many crashes a project may cause: with more in an hour its tasks run one at a time and
 * alone, so that they take no other project's tasks down with them. Crashes count that nothing but
 * its task can have caused: a farm that loses machines must not punish whoever uses it.
 */
import { limits, type ProjectId } from "@zfarm/contract";

const windowMs = 3_600_000;

export class CrashBudget {
  /** Times of the newest crashes, as many as isolate a project; newest project last. */
  readonly #crashes = new Map<ProjectId, number[]>();

  /** A worker crashed at `now` under a task of the project that ran alone. */
  noteCrash(project: ProjectId, now: number): void {
    const times = this.#crashes.get(project) ?? [];
    times.push(now);
    if (times.length > limits.projectCrashesPerHourMax + 1) times.shift();
    this.#crashes.delete(project);
    this.#crashes.set(project, times);
    for (const oldest of this.#crashes.keys()) {
      if (this.#crashes.size <= limits.crashProjectsMax) return;
      this.#crashes.delete(oldest);
    }
  }

  isIsolated(project: ProjectId, now: number): boolean {
    return this.isolatedUntil(project) > now;
  }

  /** When the isolation ends if nothing crashes until then; 0 for a project that never had one. */
  isolatedUntil(project: ProjectId): number {
    const times = this.#crashes.get(project);
    const [oldest] = times ?? [];
    if (times === undefined || oldest === undefined) return 0;
    return times.length > limits.projectCrashesPerHourMax ? oldest + windowMs : 0;
  }
}

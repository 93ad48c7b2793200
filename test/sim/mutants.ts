/**
 * Known bad variants of the farm, each one line of the core or of what surrounds it in the
 * simulation. `find` must stand in the file exactly once, so a mutant whose line has moved fails
 * loudly instead of proving nothing.
 */
export interface Mutant {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** It shows only where the broker loses its power. */
  readonly powerLoss?: boolean;
}

/** Hunts play short cases: a mutant shows early or not at all. */
export const huntEvents = 4_000;

const domain = "services/scheduler/src/domain";

export const mutants: readonly Mutant[] = [
  {
    name: "a report of an old fence is believed",
    file: `${domain}/lease-rules.ts`,
    find: "  const lease = leaseOf(entry, leased.fence);",
    replace: "  const lease = entry.trial?.lease;",
  },
  {
    name: "an attempt can be judged twice",
    file: `${domain}/lease-rules.ts`,
    find: "return fence > (trial.lastLease?.fence ?? 0n) && fence > trial.releasedFence;",
    replace: "return fence >= (trial.lastLease?.fence ?? 0n) && fence >= trial.releasedFence;",
  },
  {
    name: "a worker that drew its task is taken for lost while outcomes are read late",
    file: `${domain}/lease-rules.ts`,
    find: "if (isLong && isOutcomeKnown)",
    replace: "if (isLong)",
  },
  {
    name: "several beats that come at once count as many",
    file: `${domain}/lease-rules.ts`,
    find: "state.now >= lease.unlistedSince + limits.unlistedMs",
    replace: "state.now >= lease.unlistedSince",
  },
  {
    name: "fences do not carry the epoch",
    file: `${domain}/farm-state.ts`,
    find: "return (this.epoch << 32n) | this.#leases;",
    replace: "return this.#leases;",
  },
  {
    name: "leases of earlier leaders are not adopted",
    file: `${domain}/lease-rules.ts`,
    find: "  if (trial === undefined) return true;\n  if (trial.aside",
    replace: "  if (trial === undefined) return false;\n  if (trial.aside",
  },
  {
    name: "a locked worker gets work",
    file: `${domain}/ask-rules.ts`,
    find: " || isLocked(worker)",
    replace: "",
  },
  {
    name: "a new leader grants without listening first",
    file: `${domain}/clock-rules.ts`,
    find: "state.liveTasks > 0 ? limits.takeoverGraceMs : 0",
    replace: "state.liveTasks > 0 ? 0 : 0",
  },
  {
    name: "a leader grants to the end of its lease",
    file: `${domain}/grant-rules.ts`,
    find: "if (!state.mayGrant) return;",
    replace: "if (state.now < state.grantsFrom) return;",
  },
  {
    name: "own failures are retried without a bound",
    file: `${domain}/task-rules.ts`,
    find: "if (tried.attempts >= limits.attemptsMax) {",
    replace: "if (tried.attempts >= 1_000) {",
  },
  {
    name: "the count of crashes starts anew with each try",
    file: `${domain}/crash-history.ts`,
    find: "    this.#crashes += 1;",
    replace: "    this.#crashes = 1;\n    this.#workers.length = 0;",
  },
  {
    name: "a late message brings an ended task back",
    file: `${domain}/task-rules.ts`,
    find: "const isNews = state.recent.add(id);",
    replace: "const isNews = true;",
  },
  {
    name: "a canceled task stays in the line",
    file: `${domain}/task-rules.ts`,
    find: '  if (entry.state === "leased") countStop(state, entry);\n  leaveLine(state, entry);',
    replace: '  if (entry.state === "leased") countStop(state, entry);',
  },
  {
    name: "fair shares without catch-up",
    file: `${domain}/stride-line.ts`,
    find: "    member.pass = Math.max(member.pass, this.virtualTime);",
    replace: "",
  },
  {
    name: "the bound of a project's running tasks is off by one",
    file: `${domain}/pool-line.ts`,
    find: "line.waiting > 0 && running < burst",
    replace: "line.waiting > 0 && running <= burst",
  },
  {
    name: "the outcome of a task that waits is published again and again",
    file: `${domain}/task-rules.ts`,
    find: '  tried.aside = "ending";\n',
    replace: "",
  },
  {
    name: "leases are judged by a wall clock that jumps",
    file: "test/sim/leader-model.ts",
    find: "return Math.floor(this.#anchorMs + this.#decidedAt);",
    replace: "return startAt + this.#world.kernel.now + this.proc.wallOffsetMs;",
  },
  {
    name: "a rebuild does not look up outcomes",
    file: "test/sim/leader-model.ts",
    find: "if (outcome !== undefined) outcomes.set(key, outcome);",
    replace: "void outcome;",
  },
  {
    name: "a sweep goes one message too far",
    file: "test/sim/leader-model.ts",
    find: "of broker.queue.before(revision))",
    replace: "of broker.queue.before(revision + 1n))",
  },
  {
    name: "a bundle goes with the first of its tasks",
    file: "test/sim/sweeper-model.ts",
    find: "bundle !== undefined && bundle.left > 1",
    replace: "bundle !== undefined && bundle.left > 99",
  },
  {
    name: "a task leaves its bundle before it has a message of its own",
    file: `${domain}/message-rules.ts`,
    find: "  const revision = entry.isBundled ? 0n : BigInt(entry.revision);\n",
    replace: `  const revision = entry.isBundled ? 0n : BigInt(entry.revision);
  if (entry.isBundled) {
    const before = BigInt(entry.revision);
    state.emit({ kind: "remove-task", reason: "has-own-message", id, revision: before });
  }
`,
  },
  {
    name: "a task leaves a message at every word of its successor",
    file: `${domain}/message-rules.ts`,
    find: "  if (Number(message.revision) <= before) return;\n",
    replace: "",
  },
  {
    name: "workers obey leaders of any epoch",
    file: "test/sim/worker-model.ts",
    find: "if (epoch < this.#epochSeen) {",
    replace: "if (epoch < 0n) {",
    powerLoss: true,
  },
  {
    name: "the pointer to a picture comes before the picture",
    file: "test/sim/worker-model.ts",
    find: "    objects.set(picture, held.key);",
    replace: "    kernel.after(20, () => objects.set(picture, held.key));",
  },
  {
    name: "the second outcome overwrites the first",
    file: "test/sim/oracle.ts",
    find: "broker.outcomes.put(key, outcome, 0n)",
    replace: "broker.outcomes.put(key, outcome)",
  },
  {
    name: "the record of a job is created without a condition",
    file: "test/sim/gateway-model.ts",
    find: "broker.jobs.put(key, fresh, 0n)",
    replace: "broker.jobs.put(key, fresh)",
  },
  {
    name: "a client hears OK before the tasks are stored",
    file: "test/sim/gateway-model.ts",
    find: "const added = yield* this.#addTasks(submit, record);",
    replace: `const added: string = "ok";
      const later = this.#addTasks(submit, record);
      this.#world.kernel.spawn(this.proc, (function* () { yield* later; })());`,
  },
  {
    name: "a cancel is confirmed though the broker took nothing",
    file: "test/sim/gateway-model.ts",
    find: "if (done === undefined) return false;",
    replace: "",
  },
  {
    name: "the quota is counted after the store",
    file: "test/sim/gateway-model.ts",
    find: 'if (isNew && isFull) return "full";',
    replace: `broker.queue.put(key, message, 0n);
        if (isNew && isFull) return "full";`,
  },
  {
    name: "epochs are what the log of leases gives out",
    file: "test/sim/broker-model.ts",
    find: "    this.lease.moveOn(first);\n",
    replace: "    void first;\n",
    powerLoss: true,
  },
  {
    name: "a leader does not look for outcomes that the broker lost",
    file: "test/sim/world.ts",
    find: "standing === undefined ? this.manifests?.copyOf(key) : undefined",
    replace: "undefined as ReturnType<ManifestModel['copyOf']>",
    powerLoss: true,
  },
  {
    name: "a job that the broker took for unfinished is left so",
    file: "test/sim/manifest-model.ts",
    find: "if (stored?.value.admitted === false && !isSettled) return;",
    replace: "if (stored?.value.admitted === false) return;",
    powerLoss: true,
  },
  {
    name: "a resumed watch believes its token after a loss",
    file: "test/sim/job-watch.ts",
    find: "if (told.join() === this.#told.join()) return;",
    replace: "if (told.join() !== '') return;",
    powerLoss: true,
  },
  {
    name: "a watch resumes one outcome too late",
    file: "test/sim/job-watch.ts",
    find: "entry.revision <= after ||",
    replace: "entry.revision <= after + 1n ||",
  },
  {
    name: "a watch resumes one outcome too early",
    file: "test/sim/job-watch.ts",
    find: "entry.revision <= after ||",
    replace: "entry.revision < after ||",
  },
];

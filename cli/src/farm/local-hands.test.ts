/** The hands of the scheduler over the workers of `zfarm up`, with a channel in between. */
import { EventEmitter } from "node:events";
import { defaultPool, type WorkerId } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { expect } from "vitest";
import { LocalActuator } from "../../../services/scheduler/src/autoscale/local/local-actuator.ts";
import { SupervisorLink } from "../../../services/scheduler/src/autoscale/local/supervisor-link.ts";
import {
  defineActuatorContract,
  type PoolUnderTest,
} from "../../../services/scheduler/testing/actuator-contract.ts";
import { answerHands } from "./answer-hands.ts";
import { LocalWorker, type WorkerProcess } from "./local-worker.ts";
import { LocalWorkers } from "./local-workers.ts";

/** Carries texts, as the real one does, and later. */
class MemoryChannel extends EventEmitter {
  readonly connected = true;
  readonly #workers: LocalWorkers;

  constructor(workers: LocalWorkers) {
    super();
    this.#workers = workers;
  }

  send(message: object, done: (error: Error | null) => void): void {
    const text = JSON.stringify(message);
    setImmediate(() => {
      done(null);
      const answer = answerHands(this.#workers, JSON.parse(text));
      this.emit("message", JSON.parse(JSON.stringify(answer)));
    });
  }
}

/** Is ready at the second look, and ends soon after it was asked to. */
function playProcess(onStart: () => void): WorkerProcess {
  let looks = 0;
  return {
    start: onStart,
    ready: () => Promise.resolve(),
    isReady: () => {
      looks += 1;
      return Promise.resolve(looks > 1);
    },
    stop: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

async function createPool(count: number): Promise<PoolUnderTest> {
  const workers = new LocalWorkers({
    pool: defaultPool,
    create: (name) => new LocalWorker({ name, clock: systemClock, launch: playProcess }),
  });
  workers.start(count);
  workers.open();
  const settled = async (wanted: number): Promise<readonly string[]> => {
    const members = () => workers.observe()[0]?.members ?? [];
    const phases = () => members().map(({ phase }) => phase);
    await expect.poll(phases).toEqual(Array(wanted).fill("ready"));
    return members().map(({ worker }) => worker);
  };
  const scale = (desired: number, target: number, victims: WorkerId[] = []) =>
    workers.scale({ kind: "scale", pool: defaultPool, desired, target, victims });
  await settled(count);
  return {
    open: () => {
      const channel = new MemoryChannel(workers);
      return Promise.resolve(
        new LocalActuator(new SupervisorLink({ channel, clock: systemClock })),
      );
    },
    settled,
    raise: () => Promise.resolve(void scale(count + 1, count)),
    replace: async (worker) => {
      scale(count - 1, count, [worker]);
      scale(count, count - 1);
    },
  };
}

defineActuatorContract("one machine", (_, workers) => createPool(workers));

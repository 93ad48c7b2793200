/** A broker in front of another one that fails where and as often as a test says. */
import type { Broker } from "@zfarm/broker";
import type { FarmError } from "@zfarm/contract";

export type Faults = Readonly<Record<string, readonly FarmError[]>>;

/** Fails calls of `queue.rewrite` and the like with these errors, one a call, then works. */
export function createFaultyBroker(broker: Broker, faults: Faults): Broker {
  const left = new Map(Object.entries(faults).map(([path, errors]) => [path, [...errors]]));
  const part = <Part extends object>(name: string, target: Part): Part =>
    new Proxy(target, {
      get: (from, method) => {
        const error = left.get(`${name}.${String(method)}`)?.shift();
        if (error !== undefined) return () => Promise.reject(error);
        const value: unknown = Reflect.get(from, method);
        return typeof value === "function" ? value.bind(from) : value;
      },
    });
  return {
    ...broker,
    queue: part("queue", broker.queue),
    outcomes: part("outcomes", broker.outcomes),
    leadership: part("leadership", broker.leadership),
    problem: () => broker.problem(),
    drain: () => broker.drain(),
  };
}

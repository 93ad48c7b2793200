/**
 * Where a delivered message stands, which the server writes into its reply subject. The client's
 * own reader cuts that into eleven strings and makes ten fields of them, of which a follower of
 * every outcome needs three.
 */
import { invariant } from "@zfarm/runtime";

export interface Delivery {
  /** The message's number in its stream. */
  readonly seq: number;
  /** Its number among those that the consumer was given, from 1 on. */
  readonly deliverySeq: number;
  /** Messages that the consumer has not been given yet. */
  readonly pending: number;
}

const prefix = "$JS.ACK.";
const [dot, zero] = [".".charCodeAt(0), "0".charCodeAt(0)];

/**
 * Tokens of servers since 2.10 or of a domain: `$JS.ACK`, domain, account hash, stream, consumer,
 * deliveries, stream sequence, delivery sequence, nanoseconds, pending, and perhaps one of chance;
 * others lack the domain, the hash and what chance gave. ADR-15 of NATS has both.
 */
export function readDelivery(reply: string): Delivery {
  invariant(reply.startsWith(prefix), "a message of a stream says where it stands");
  const numbers: number[] = [];
  let number = 0;
  for (let index = prefix.length; index <= reply.length; index += 1) {
    const code = index < reply.length ? reply.charCodeAt(index) : dot;
    if (code === dot) {
      numbers.push(number);
      number = 0;
    } else {
      // Of names this makes nonsense, which nobody looks at.
      number = number * 10 + (code - zero);
    }
  }
  const first = numbers.length === 7 ? 2 : 4;
  const [, seq = Number.NaN, deliverySeq = Number.NaN, , pending = Number.NaN] =
    numbers.slice(first);
  return { seq, deliverySeq, pending };
}

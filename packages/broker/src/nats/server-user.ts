/** A user of the farm as a NATS server's configuration names one: by a key, with its rights. */
import { nkeys } from "@nats-io/transport-node";
import { type BrokerUser, rightsOf } from "../broker-users.ts";

/** An entry of `authorization { users: [...] }`. */
export interface ServerUser {
  readonly nkey: string;
  readonly permissions: {
    readonly publish: { readonly allow: readonly string[] };
    readonly subscribe: { readonly allow: readonly string[] };
  };
}

/** The secret half of a new key: what NATS_CREDS of the user's process holds. */
export function createUserSeed(): string {
  return new TextDecoder().decode(nkeys.createUser().getSeed());
}

/** Whether it is the seed of an nkey, as it stands in a file. */
export function isUserSeed(text: string): boolean {
  return /^SU[A-Z2-7]{56}$/.test(text);
}

/** The server learns the public half only. Throws the client's error where `seed` is none. */
export function serverUser(user: BrokerUser, seed: string, shards: number): ServerUser {
  const { publish, subscribe } = rightsOf(user, shards);
  return {
    nkey: nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey(),
    permissions: { publish: { allow: publish }, subscribe: { allow: subscribe } },
  };
}

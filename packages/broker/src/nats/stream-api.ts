/**
 * The requests to one stream that the farm makes for every task, in JetStream's own protocol:
 * https://docs.nats.io/reference/reference-protocols/nats_api_reference. Everything rarer goes
 * through the client.
 */
import { JetStreamApiError } from "@nats-io/jetstream";
import { headers, type MsgHdrs, MsgHdrsImpl } from "@nats-io/transport-node";
import type { Revision } from "../broker.ts";
import type { LogMessage, PutRequest } from "../ports.ts";
import { apiCodes } from "./errors.ts";
import type { NatsLink } from "./nats-link.ts";

/**
 * The only header, for every follower is given it too. That the stream is the right one need not be
 * said: the server lets no two have subjects in common.
 */
const conditionHeader = "Nats-Expected-Last-Subject-Sequence";

/** Made into bytes once. */
class FixedHeaders extends MsgHdrsImpl {
  #bytes: Uint8Array | undefined;

  override encode(): Uint8Array {
    this.#bytes ??= super.encode();
    return this.#bytes;
  }
}

/** Of what is to be the first of its subject, as nearly everything is. */
const expectingNone = new FixedHeaders();
expectingNone.set(conditionHeader, "0");

type ApiError = ConstructorParameters<typeof JetStreamApiError>[0];

interface ApiAnswer {
  readonly error?: ApiError;
  /** Of a publish. */
  readonly seq?: number;
  /** Of a read; bytes are base64, absent where there are none. */
  readonly message?: { readonly subject: string; readonly seq: number; readonly data?: string };
}

export class StreamApi {
  readonly #link: NatsLink;
  readonly #stream: string;
  constructor(link: NatsLink, stream: string) {
    this.#link = link;
    this.#stream = stream;
  }

  async publish({ subject, bytes, expected }: PutRequest, deadline: number): Promise<Revision> {
    const condition = expected === undefined ? {} : { headers: expecting(expected) };
    const message = { subject, bytes, ...condition };
    const { seq = 0 } = parseAnswer((await this.#link.ask(message, deadline)).data);
    return BigInt(seq);
  }

  last(subject: string, deadline: number): Promise<LogMessage | undefined> {
    return this.#read({ last_by_subj: subject }, deadline);
  }

  async has(revision: Revision, deadline: number): Promise<boolean> {
    return (await this.#read({ seq: Number(revision) }, deadline)) !== undefined;
  }

  /** The bytes stay on the disk until their block is given up: overwriting them costs a write. */
  async remove(revision: Revision, deadline: number): Promise<void> {
    await this.#request("MSG.DELETE", { seq: Number(revision), no_erase: true }, deadline);
  }

  async removeBefore(
    { revision, filter }: { revision: Revision; filter: string | undefined },
    deadline: number,
  ): Promise<void> {
    await this.#request("PURGE", { seq: Number(revision), filter }, deadline);
  }

  async #read(query: object, deadline: number): Promise<LogMessage | undefined> {
    const { message } = await this.#request("MSG.GET", query, deadline);
    if (message === undefined) return undefined;
    const bytes = Buffer.from(message.data ?? "", "base64");
    return { subject: message.subject, bytes, revision: BigInt(message.seq) };
  }

  async #request(
    verb: "MSG.GET" | "MSG.DELETE" | "PURGE",
    query: object,
    deadline: number,
  ): Promise<ApiAnswer> {
    const subject = `$JS.API.STREAM.${verb}.${this.#stream}`;
    const bytes = Buffer.from(JSON.stringify(query));
    return parseAnswer((await this.#link.ask({ subject, bytes }, deadline)).data);
  }
}

function expecting(revision: Revision): MsgHdrs {
  if (revision === 0n) return expectingNone;
  const condition = headers();
  condition.set(conditionHeader, String(revision));
  return condition;
}

function parseAnswer(data: Uint8Array): ApiAnswer {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
  const answer = JSON.parse(text) as ApiAnswer;
  // That there is no message is an answer like any other, and the usual one in a rebuild.
  if (answer.error === undefined || answer.error.err_code === apiCodes.noMessage) return answer;
  throw new JetStreamApiError(answer.error);
}

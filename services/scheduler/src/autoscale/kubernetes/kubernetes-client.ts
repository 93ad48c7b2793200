/** Asks the API server of Kubernetes, a few times where that makes sense. */
import { FarmError, limits } from "@zfarm/contract";
import { backoffMs, type Clock } from "@zfarm/runtime";
import type {
  KubernetesReply,
  KubernetesRequest,
  KubernetesTransport,
} from "./kubernetes-transport.ts";

export interface KubernetesAsk extends KubernetesRequest {
  /** What is done, for error texts: `list pods`. */
  readonly what: string;
  /** Doing it twice is not doing it once: only what was turned away is tried again. */
  readonly isOnce?: boolean;
  /** Refusals that are answers to the caller; any other is an error. */
  readonly expected?: readonly number[];
}

interface KubernetesClientNeeds {
  readonly transport: KubernetesTransport;
  readonly clock: Clock;
  /** Uniform in [0, 1); tests pass their own. */
  readonly random?: () => number;
}

export class KubernetesClient {
  readonly #needs: KubernetesClientNeeds;

  constructor(needs: KubernetesClientNeeds) {
    this.#needs = needs;
  }

  /**
   * A success, or a refusal that was expected. Rejects with CLUSTER_UNAVAILABLE for everything
   * else, and with the signal's reason once `stop` has aborted.
   */
  async ask(ask: KubernetesAsk, stop: AbortSignal): Promise<KubernetesReply> {
    for (let attempt = 1; ; attempt += 1) {
      const reply = await this.#send(ask, stop);
      if (typeof reply === "object" && "status" in reply && isAnswer(ask, reply)) return reply;
      if (attempt >= limits.kubernetesTriesMax || !mayRepeat(ask, reply)) {
        throw describeFailure(ask, reply);
      }
      await this.#needs.clock.sleep(this.#waitMs(attempt, reply), stop);
      stop.throwIfAborted();
    }
  }

  close(): Promise<void> {
    return this.#needs.transport.close();
  }

  async #send(ask: KubernetesAsk, stop: AbortSignal): Promise<KubernetesReply | Error> {
    try {
      return await this.#needs.transport.send(ask, stop);
    } catch (error) {
      stop.throwIfAborted();
      return error instanceof Error ? error : new FarmError("CLUSTER_UNAVAILABLE", String(error));
    }
  }

  #waitMs(attempt: number, reply: KubernetesReply | Error): number {
    const { kubernetesBackoffMsFirst: firstMs, kubernetesBackoffMsMax: maxMs } = limits;
    const { random } = this.#needs;
    const own = backoffMs(attempt, { firstMs, maxMs, ...(random === undefined ? {} : { random }) });
    const asked = reply instanceof Error ? 0 : (reply.retryAfterMs ?? 0);
    return Math.min(Math.max(own, asked), maxMs);
  }
}

function isAnswer({ expected = [] }: KubernetesAsk, { status }: KubernetesReply): boolean {
  return (status >= 200 && status < 300) || expected.includes(status);
}

function mayRepeat({ isOnce = false }: KubernetesAsk, reply: KubernetesReply | Error): boolean {
  if (reply instanceof Error) return !isOnce;
  if (reply.status === 429) return true;
  return reply.status >= 500 && !isOnce;
}

function describeFailure({ what }: KubernetesAsk, reply: KubernetesReply | Error): FarmError {
  const isError = reply instanceof Error;
  const said = isError ? causeOf(reply) : `${reply.status} ${messageOf(reply.body)}`;
  const short = said.slice(0, limits.kubernetesAnswerCharsMax);
  const options = isError ? { cause: reply } : {};
  return new FarmError("CLUSTER_UNAVAILABLE", `Kubernetes did not ${what}: ${short}`, options);
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** A refusal is a Status object with a sentence. */
function messageOf(body: unknown): string {
  const isStatus = typeof body === "object" && body !== null && "message" in body;
  return isStatus ? String(body.message) : String(body);
}

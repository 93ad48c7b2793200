/** Under which request ids a render is tried. */
import { randomUUID } from "node:crypto";
import type { FarmError } from "@zfarm/contract";
import type { Retry } from "./retry.ts";

/**
 * The request id of a render. A try whose connection broke was canceled by the gateway, which
 * cannot tell that from a caller who left: the next one finds a canceled task and starts afresh.
 */
export class RenderIds {
  readonly #chosen: boolean;
  current: string;

  constructor(requestId: string | undefined) {
    this.#chosen = requestId !== undefined;
    this.current = requestId ?? randomUUID();
  }

  /** Waits before the next try, or throws the error. */
  async orRetry(error: FarmError, retry: Retry): Promise<void> {
    if (error.code === "TASK_CANCELED" && retry.hasLostOne && !this.#chosen) {
      this.current = randomUUID();
      retry.reset();
      return;
    }
    await retry.afterFailure(error);
  }
}

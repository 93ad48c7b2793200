/**
 * How requests of the S3 client travel: over kept connections, each with a deadline that also
 * covers the body of the answer. The client itself knows neither timeouts nor cancellation.
 */
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import { limits } from "@zfarm/contract";

export interface S3Transport {
  readonly transport: Pick<typeof http, "request">;
  readonly agent: http.Agent;
  /** Cuts every request in flight and every kept connection. */
  close(): void;
}

export function createS3Transport(secure: boolean, requestMs: number): S3Transport {
  const agentOptions = { keepAlive: true, maxSockets: limits.storeSocketsMax };
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  const closing = new AbortController();
  const request = (
    options: RequestOptions,
    onResponse: (response: IncomingMessage) => void,
  ): ClientRequest => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(requestMs)]);
    const module = secure ? https : http;
    return module.request({ ...options, signal }, (response) => {
      // The client drops these answers unread, and an unread answer holds its connection.
      if (isDroppedByClient(response.statusCode)) response.resume();
      onResponse(response);
    });
  };
  const close = (): void => {
    closing.abort();
    agent.destroy();
  };
  // The client uses just this one of the forms that `http.request` has.
  return { transport: { request: request as typeof http.request }, agent, close };
}

/** Statuses that npm minio turns into an error without looking at the body. */
function isDroppedByClient(status: number | undefined): boolean {
  return status !== undefined && [408, 429, 499, 500, 502, 503, 504, 520].includes(status);
}

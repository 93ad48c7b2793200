/** Sends a file to a signed URL as it is read, within a time that grows with its size. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { limits } from "@zfarm/contract";

interface FilePut {
  readonly path: string;
  readonly contentType: string;
  readonly stop: AbortSignal;
}

/** The store's answer to a request that it refused. */
class PutRefused extends Error {
  override readonly name = "PutRefused";
  readonly code: string;

  constructor(status: number | undefined) {
    super(`the store answered ${status}`);
    this.code = `HTTP ${status}`;
  }
}

export async function putFileTo(url: string, { path, contentType, stop }: FilePut): Promise<void> {
  const { size } = await stat(path);
  const timeoutMs = limits.storeRequestMs + Math.ceil(size / limits.storeBytesPerMs);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
  const headers = { "Content-Type": contentType, "Content-Length": size };
  const module = url.startsWith("https:") ? https : http;
  const request = module.request(url, { method: "PUT", headers, signal });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
  });
  // A store that refuses early answers and cuts the body short: its answer says more.
  const [answered] = await Promise.allSettled([answer, pipeline(createReadStream(path), request)]);
  if (answered.status === "rejected") throw answered.reason;
  const { statusCode } = answered.value.resume();
  if (statusCode !== 200) throw new PutRefused(statusCode);
}

/** The span of a call, under what its client says it belongs to. */
import { type Metadata, status } from "@grpc/grpc-js";
import type { Span, Tracing } from "@zfarm/runtime";

interface SpannedCall {
  readonly metadata: Metadata;
  /** Such as `/zfarm.v1.RenderService/RenderImage`. */
  getPath(): string;
}

export function beginCallSpan(tracing: Tracing, call: SpannedCall): Span {
  const method = call.getPath().replace(/^\//, "");
  const facts = { "rpc.system.name": "grpc", "rpc.method": method };
  return tracing.begin(method, parentOf(tracing, call.metadata), { kind: "server", facts });
}

/** Nobody reads the header while tracing is off. Of two that came neither counts. */
function parentOf({ isOn }: Tracing, metadata: Metadata): string | undefined {
  const values = isOn ? metadata.get("traceparent") : [];
  const [only, ...others] = values;
  return others.length === 0 && typeof only === "string" ? only : undefined;
}

/** What is the farm's fault; other codes are the client's business. */
const serverFaults: ReadonlySet<string> = new Set(
  [
    status.UNKNOWN,
    status.DEADLINE_EXCEEDED,
    status.UNIMPLEMENTED,
    status.INTERNAL,
    status.UNAVAILABLE,
    status.DATA_LOSS,
  ].map((code) => status[code]),
);

/** `code` is the name of a gRPC status, `reason` the farm's own code. */
export function endCallSpan(span: Span, code: string, reason: string | undefined): void {
  span.set({ "rpc.response.status_code": code, "zfarm.reason": reason });
  if (serverFaults.has(code)) span.fail(reason ?? code);
  span.end();
}

/** Tells the farm with each call which trace of the caller's it belongs to. */
import { InterceptingCall, type Interceptor } from "@grpc/grpc-js";

/** W3C traceparent of what the caller is doing now; undefined where it keeps no trace. */
export type CurrentTrace = () => string | undefined;

/** Asked at the start of each try, in the context of the code that called. */
export function traceInterceptor(current: CurrentTrace): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        const traceparent = current();
        if (traceparent !== undefined) metadata.set("traceparent", traceparent);
        next(metadata, listener);
      },
    });
}

/**
 * Tells of work in a trace: spans with a start, an end and what caused them. Off unless the
 * process was told where to send them, and then nothing is recorded and nothing loaded.
 */

export type SpanKind = "internal" | "server" | "producer" | "consumer";

/** Facts of a span, by dotted names; those that are undefined are left out. Never prompts. */
export type SpanFacts = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanOptions {
  /** Absent: internal. */
  readonly kind?: SpanKind;
  /** Milliseconds since the epoch; absent: now. */
  readonly startMs?: number;
  readonly facts?: SpanFacts;
}

export interface Tracing {
  /** False: no span is recorded, and what only spans need may be skipped. */
  readonly isOn: boolean;
  /**
   * Begins a span under one of this or another process, named by its W3C traceparent. With none,
   * or one that is none, it begins a trace of its own.
   */
  begin(name: string, parent: string | undefined, options?: SpanOptions): Span;
}

/** A piece of work under way. Nothing of it is sent before its end. */
export interface Span {
  /** What those say who go on with the work; undefined where nobody keeps the trace. */
  readonly traceparent: string | undefined;
  /** For lines of the log that belong to it; empty where it is not recorded. */
  readonly ids: { readonly trace_id?: string; readonly span_id?: string };
  /** Begins a part of this work. */
  child(name: string, options?: SpanOptions): Span;
  set(facts: SpanFacts): void;
  event(name: string, facts?: SpanFacts, atMs?: number): void;
  /** Marks it as failed, in a word or a code that has no facts of users in it. */
  fail(reason: string): void;
  /** Milliseconds since the epoch; absent: now. */
  end(endMs?: number): void;
}

const spanOff: Span = {
  traceparent: undefined,
  ids: {},
  child: () => spanOff,
  set: () => undefined,
  event: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** Records nothing. */
export const tracingOff: Tracing = { isOn: false, begin: () => spanOff };

/** A collector of traces for tests: takes OTLP over HTTP with protobuf and keeps every span. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader } from "@bufbuild/protobuf/wire";

export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentId: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly facts: ReadonlyMap<string, string>;
  readonly events: readonly {
    readonly name: string;
    readonly facts: ReadonlyMap<string, string>;
  }[];
  readonly hasFailed: boolean;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that came, as text: what must never be in a trace is looked for here. */
  readonly text: string;
  /** Resolves once the spans so far satisfy; rejects after a while. */
  until(isEnough: (spans: readonly ReceivedSpan[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

const patienceMs = 30_000;

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      bodies.push(body);
      spans.push(...decodeRequest(body));
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    get text() {
      return Buffer.concat(bodies).toString("latin1");
    },
    until: (isEnough) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`spans so far: ${spans.map(({ name }) => name).join(", ")}`));
        }, patienceMs);
        const look = (): void => {
          if (!isEnough(spans)) return;
          clearTimeout(late);
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Fields of one message by their numbers: numbers as bigint, everything else as bytes. */
type Fields = Map<number, (bigint | Uint8Array)[]>;

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (wireType === 0) values.push(BigInt(reader.uint64()));
    else if (wireType === 1) values.push(BigInt(reader.fixed64()));
    else if (wireType === 2) values.push(reader.bytes());
    else reader.skip(wireType, number);
  }
  return fields;
}

function messages(fields: Fields, number: number): Fields[] {
  return (fields.get(number) ?? []).flatMap((value) =>
    typeof value === "bigint" ? [] : [fieldsOf(value)],
  );
}

function bytesOf(fields: Fields | undefined, number: number): Buffer {
  const [value] = fields?.get(number) ?? [];
  return value === undefined || typeof value === "bigint" ? Buffer.alloc(0) : Buffer.from(value);
}

function numberOf(fields: Fields | undefined, number: number): bigint {
  const [value] = fields?.get(number) ?? [];
  return typeof value === "bigint" ? value : 0n;
}

function factsOf(fields: Fields | undefined, number: number): Map<string, string> {
  const pairs = fields === undefined ? [] : messages(fields, number);
  return new Map(
    pairs.map((pair) => {
      const [value] = messages(pair, 2);
      const whole = value?.has(3) === true ? String(numberOf(value, 3)) : "";
      return [bytesOf(pair, 1).toString(), bytesOf(value, 1).toString() || whole];
    }),
  );
}

function decodeRequest(body: Uint8Array): ReceivedSpan[] {
  return messages(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const [resource] = messages(resourceSpans, 1);
    const service = factsOf(resource, 1).get("service.name") ?? "";
    return messages(resourceSpans, 2)
      .flatMap((scope) => messages(scope, 2))
      .map((span) => decodeSpan(span, service));
  });
}

function decodeSpan(span: Fields, service: string): ReceivedSpan {
  const [status] = messages(span, 15);
  return {
    service,
    name: bytesOf(span, 5).toString(),
    traceId: bytesOf(span, 1).toString("hex"),
    spanId: bytesOf(span, 2).toString("hex"),
    parentId: bytesOf(span, 4).toString("hex"),
    startMs: Number(numberOf(span, 7) / 1_000n) / 1_000,
    endMs: Number(numberOf(span, 8) / 1_000n) / 1_000,
    facts: factsOf(span, 9),
    events: messages(span, 11).map((event) => ({
      name: bytesOf(event, 2).toString(),
      facts: factsOf(event, 3),
    })),
    hasFailed: numberOf(status, 3) === 2n,
  };
}

/**
 * What a scheduler and the process that started it tell each other over their channel, where that
 * process starts and stops the workers of this machine. Whatever is not exactly so is no message.
 */
import { type PoolId, parsePoolId, parseWorkerId, type WorkerId } from "./ids.ts";
import { limits } from "./limits.ts";

export type HandsRequest =
  | { readonly kind: "observe" }
  | {
      readonly kind: "scale";
      readonly pool: PoolId;
      readonly desired: number;
      /** What it was decided against: nothing is done where that is no longer so. */
      readonly target: number;
      /** Who goes: as many as target is above desired. */
      readonly victims: readonly WorkerId[];
    };

const localPhases = ["starting", "ready", "crashing", "stopping"] as const;
const handsResults = ["unchanged", "applied", "conflict"] as const;

export interface LocalMember {
  readonly worker: WorkerId;
  readonly phase: (typeof localPhases)[number];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Absent until it was first ready, and once it had to be started anew. */
  readonly readyAt?: number;
}

export interface LocalFleet {
  readonly pool: PoolId;
  /** Workers asked for. */
  readonly target: number;
  /** All there are, those that stop among them. */
  readonly members: readonly LocalMember[];
}

export type HandsReply =
  /** No fleet while the farm still starts. */
  | { readonly kind: "observed"; readonly fleets: readonly LocalFleet[] }
  | { readonly kind: "scaled"; readonly result: (typeof handsResults)[number] }
  | { readonly kind: "refused"; readonly reason: string };

/** A request or a reply, with the number that brings the two together. */
export interface HandsMessage<Content> {
  readonly id: number;
  readonly content: Content;
}

export function writeHandsMessage(kind: "request", message: HandsMessage<HandsRequest>): object;
export function writeHandsMessage(kind: "reply", message: HandsMessage<HandsReply>): object;
export function writeHandsMessage(kind: string, { id, content }: HandsMessage<object>): object {
  return { hands: kind, id, content };
}

/** Undefined for everything that is no request. */
export function parseHandsRequest(value: unknown): HandsMessage<HandsRequest> | undefined {
  return parseMessage("request", { value, parse: parseRequest });
}

/** Undefined for everything that is no reply. */
export function parseHandsReply(value: unknown): HandsMessage<HandsReply> | undefined {
  return parseMessage("reply", { value, parse: parseReply });
}

function parseMessage<Content>(
  hands: string,
  { value, parse }: { value: unknown; parse: (content: unknown) => Content | undefined },
): HandsMessage<Content> | undefined {
  if (!isRecord(value) || value["hands"] !== hands) return undefined;
  const id = value["id"];
  const content = parse(value["content"]);
  return isCount(id) && content !== undefined ? { id, content } : undefined;
}

function parseRequest(value: unknown): HandsRequest | undefined {
  if (!isRecord(value)) return undefined;
  if (value["kind"] === "observe") return { kind: "observe" };
  if (value["kind"] !== "scale") return undefined;
  const { desired, target } = value;
  const pool = parseName(value["pool"], parsePoolId);
  const victims = parseList(value["victims"], (name) => parseName(name, parseWorkerId));
  if (pool === undefined || victims === undefined) return undefined;
  if (!isCount(desired) || !isCount(target)) return undefined;
  return { kind: "scale", pool, desired, target, victims };
}

function parseReply(value: unknown): HandsReply | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, reason } = value;
  if (kind === "refused" && typeof reason === "string") return { kind, reason };
  const result = handsResults.find((each) => each === value["result"]);
  if (kind === "scaled" && result !== undefined) return { kind, result };
  const fleets = parseList(value["fleets"], parseFleet);
  return kind === "observed" && fleets !== undefined ? { kind, fleets } : undefined;
}

function parseFleet(value: unknown): LocalFleet | undefined {
  if (!isRecord(value)) return undefined;
  const { target } = value;
  const pool = parseName(value["pool"], parsePoolId);
  const members = parseList(value["members"], parseMember);
  if (pool === undefined || members === undefined || !isCount(target)) return undefined;
  return { pool, target, members };
}

function parseMember(value: unknown): LocalMember | undefined {
  if (!isRecord(value)) return undefined;
  const { createdAt, readyAt } = value;
  const worker = parseName(value["worker"], parseWorkerId);
  const phase = localPhases.find((each) => each === value["phase"]);
  if (worker === undefined || phase === undefined || !isTime(createdAt)) return undefined;
  if (readyAt === undefined) return { worker, phase, createdAt };
  return isTime(readyAt) ? { worker, phase, createdAt, readyAt } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function parseName<Name>(value: unknown, parse: (text: string) => Name | undefined) {
  return typeof value === "string" ? parse(value) : undefined;
}

/** Undefined unless all of it can be read. */
function parseList<Item>(
  value: unknown,
  parse: (item: unknown) => Item | undefined,
): Item[] | undefined {
  if (!Array.isArray(value) || value.length > limits.localWorkersMax) return undefined;
  const items = value.map(parse).filter((item) => item !== undefined);
  return items.length === value.length ? items : undefined;
}

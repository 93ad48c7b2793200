/** What a client can ask about adapters. */
import type {
  CheckLoraResponse,
  Lora,
  LoraResidence,
  PrefetchLoraResponse,
  UploadLoraResponse,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";

/** A file by its path, or its bytes as they come; those can be sent only once. */
export type LoraFile = string | AsyncIterable<Uint8Array>;

interface SendOptions extends CallOptions {
  /** The pool whose model the adapter is for. */
  readonly pool?: string;
  /** Told after every piece; the total is unknown where the bytes come from elsewhere. */
  readonly onProgress?: (sentBytes: number, totalBytes: number | undefined) => void;
}

export type CheckLoraOptions = SendOptions;

/** What its owner says of an adapter. */
export interface LoraAbout {
  readonly displayName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly triggerWords?: readonly string[];
  /** Workers that have it keep it at hand before others. */
  readonly pinned?: boolean;
}

export interface UploadLoraOptions extends SendOptions, LoraAbout {
  /** `projects/{project}`; absent: the default project. */
  readonly parent?: string;
  /** The name that pictures use. */
  readonly lora: string;
  /** Absent: the next whole number. */
  readonly version?: string;
  /** What the file should come to; of a path it is computed. */
  readonly sha256?: string;
  /** Checks everything, keeps nothing. */
  readonly validateOnly?: boolean;
}

export interface ListLorasOptions extends CallOptions {
  readonly parent?: string;
  /** Only those that have all of these. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly pageSize?: number;
}

export interface LoraChanges extends LoraAbout {
  /** Alias to version: all there are to be. */
  readonly aliases?: Readonly<Record<string, string>>;
}

export interface EtagOptions extends CallOptions {
  /** Of the adapter as it was seen: CONFLICT where it has changed since. Absent: does it anyway. */
  readonly etag?: string;
}

export interface LoraPlaceOptions extends CallOptions {
  readonly parent?: string;
  readonly pool?: string;
}

/** Names are `projects/{project}/loras/{lora}`; uses are as in pictures, `name@version`. */
export interface LoraClient {
  /** Stores a file as a new version; the same file again is the version it was before. */
  upload(file: LoraFile, options: UploadLoraOptions): Promise<UploadLoraResponse>;
  /** Whether a file would be accepted, and what is found in it. */
  check(file: LoraFile, options?: CheckLoraOptions): Promise<CheckLoraResponse>;
  get(name: string, options?: CallOptions): Promise<Lora>;
  /** All by name, page after page. */
  list(options?: ListLorasOptions): AsyncIterable<Lora>;
  /** Changes the fields that are there. */
  update(name: string, changes: LoraChanges, options?: EtagOptions): Promise<Lora>;
  /** Of an adapter, or of one version: `.../versions/{version}`. */
  delete(name: string, options?: EtagOptions): Promise<void>;
  /** Has so many workers of a pool fetch it ahead. */
  prefetch(
    use: string,
    options?: LoraPlaceOptions & { readonly workers?: number },
  ): Promise<PrefetchLoraResponse>;
  /** Which workers hold it, nearest first. */
  residency(use: string, options?: LoraPlaceOptions): Promise<LoraResidence[]>;
}

/** What a timer of the core is for. */
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

export type Wake =
  | { readonly kind: "lot-expires"; readonly lot: Lot }
  | { readonly kind: "task-turns"; readonly entry: TaskEntry }
  | { readonly kind: "ask-held"; readonly ask: AskEntry }
  | { readonly kind: "worker-silent"; readonly worker: WorkerEntry }
  /** A bounded wait for a better moment is over. */
  | { readonly kind: "hold-ends"; readonly pool: PoolEntry };

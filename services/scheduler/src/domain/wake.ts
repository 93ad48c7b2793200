/** What a timer of the core is for. */
import type { TaskEntry } from "./task-entry.ts";
import type { AskEntry, WorkerEntry } from "./worker-entry.ts";

export type Wake =
  | { readonly kind: "task-expires"; readonly entry: TaskEntry }
  | { readonly kind: "task-turns"; readonly entry: TaskEntry }
  | { readonly kind: "ask-held"; readonly ask: AskEntry }
  | { readonly kind: "worker-silent"; readonly worker: WorkerEntry };

/** What every call of a client takes. */
export interface CallOptions {
  /** Ends the call; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** For the whole call, retries included. Absent: the farm's default for the method. */
  readonly timeoutMs?: number;
}

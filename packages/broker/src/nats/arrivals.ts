/** What has come and was not read yet; read as many at a time as there are. */

export class Arrivals<Item> {
  readonly #unreadMax: number;
  /** Told when more than so many are unread. */
  readonly #onFull: () => void;
  #unread: Item[] = [];
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(unreadMax: number, onFull: () => void) {
    this.#unreadMax = unreadMax;
    this.#onFull = onFull;
  }

  get unread(): number {
    return this.#unread.length;
  }

  add(item: Item): void {
    this.#unread.push(item);
    this.#changed.resolve();
    if (this.#unread.length > this.#unreadMax) this.#onFull();
  }

  /** Nothing more comes. */
  close(): void {
    this.#isClosed = true;
    this.#changed.resolve();
  }

  /** All that has come since the last call, at least one; none once it is closed and read. */
  async take(): Promise<readonly Item[]> {
    while (this.#unread.length === 0 && !this.#isClosed) {
      await this.#changed.promise;
      if (!this.#isClosed) this.#changed = Promise.withResolvers();
    }
    const items = this.#unread;
    this.#unread = [];
    return items;
  }
}

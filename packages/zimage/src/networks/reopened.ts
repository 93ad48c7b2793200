/** A network that is opened at its first use, released to make room, and opened again. */

interface Closable {
  close(): Promise<void>;
}

export class Reopened<Network extends Closable> {
  readonly #open: () => Promise<Network>;
  #network: Network | undefined;

  constructor(open: () => Promise<Network>) {
    this.#open = open;
  }

  async get(): Promise<Network> {
    this.#network ??= await this.#open();
    return this.#network;
  }

  /** Frees its memory; nothing happens when it is not open. */
  async release(): Promise<void> {
    const network = this.#network;
    this.#network = undefined;
    await network?.close();
  }
}

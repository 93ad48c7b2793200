/**
 * Made-up weights at the speed of the disk: every tensor is cut from a few megabytes of random
 * numbers, each from another place, so that no two tensors are equal.
 */
import { preparedBlockSize, type TensorShape } from "@zfarm/zimage";

/** Prime, so that tensors of round sizes do not fall into step with it. */
const poolValues = 4_194_301;
const chunkBytes = 8 * 1024 * 1024;

export class WeightPool {
  readonly #bits: number;
  readonly #pools = new Map<string, Buffer>();
  #next = 1;

  /** @param bits of a level, where weights are blocks. */
  constructor(bits: 4 | 8 = 8) {
    this.#bits = bits;
  }

  /** The tensor's bytes in pieces; each piece is read before the next one is asked for. */
  *bytesOf({ name, dtype, shape }: TensorShape): Generator<Buffer> {
    const width = { F32: 4, F16: 2, BF16: 2, U8: 1 }[dtype];
    let left = shape.reduce((product, side) => product * side, width);
    const pool = this.#poolOf(name, dtype, shape);
    // A step through the pool that no small number of tensors repeats.
    let place = ((this.#next * 1_299_709) % poolValues) * width;
    this.#next += 1;
    while (left > 0) {
      const length = Math.min(left, pool.length - place, chunkBytes);
      yield pool.subarray(place, place + length);
      left -= length;
      place = (place + length) % pool.length;
    }
  }

  #poolOf(name: string, dtype: TensorShape["dtype"], shape: readonly number[]): Buffer {
    const spread = this.#spreadOf(name, shape);
    const key = `${dtype} ${spread.centre} ${spread.size}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const pool = makePool(dtype, spread);
    this.#pools.set(key, pool);
    return pool;
  }

  /** As in a network that was just set up: products keep the size of what goes in. */
  #spreadOf(name: string, shape: readonly number[]): Spread {
    if (name.endsWith(".scale")) {
      const columns = (shape[1] ?? 1) * preparedBlockSize;
      // The spread of levels that are all as likely.
      const levels = 2 ** this.#bits / Math.sqrt(12);
      return { centre: 1 / Math.sqrt(columns) / levels, size: 0 };
    }
    if (shape.length === 1) {
      return name.endsWith(".weight") ? { centre: 1, size: 0.05 } : { centre: 0, size: 0.02 };
    }
    const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
    return { centre: 0, size: 1 / Math.sqrt(fanIn) };
  }
}

interface Spread {
  readonly centre: number;
  /** Standard deviation. */
  readonly size: number;
}

function makePool(dtype: TensorShape["dtype"], { centre, size }: Spread): Buffer {
  if (dtype === "U8") {
    return Buffer.from(Uint8Array.from({ length: poolValues }, () => Math.random() * 256));
  }
  // The sum of four even draws is close to a normal one, and fast.
  const draw = (): number =>
    centre +
    size * Math.sqrt(3) * (Math.random() + Math.random() + Math.random() + Math.random() - 2);
  const values = Float32Array.from({ length: poolValues }, draw);
  if (dtype === "F32") return Buffer.from(values.buffer);
  const words = new Uint32Array(values.buffer);
  return Buffer.from(Uint16Array.from(words, (word) => word >>> 16).buffer);
}

/** The sinusoids that tell the transformer its time. */
const frequencyCount = 128;

/**
 * exp(-ln(10000) · i / 128) with every step rounded to float32, as the reference computes it. Its
 * library rounds two of the exponentials the other way; those are given as bits.
 */
const frequencies = Float32Array.from({ length: frequencyCount }, (_, index) => {
  const exponent = Math.fround(Math.fround(-Math.log(10_000)) * index);
  return Math.exp(Math.fround(exponent / frequencyCount));
});
const frequencyBits = new Uint32Array(frequencies.buffer);
frequencyBits[12] = 0x3ed7e89b;
frequencyBits[106] = 0x39ff4fad;

/**
 * Embeds a model time of 0..1 (0 is pure noise): 128 cosines, then 128 sines.
 * `timeScale` is 1000 in every known model.
 */
export function embedTimestep(time: number, timeScale: number): Float32Array {
  const scaled = Math.fround(Math.fround(time) * timeScale);
  const embedding = new Float32Array(2 * frequencyCount);
  for (const [index, frequency] of frequencies.entries()) {
    const angle = Math.fround(scaled * frequency);
    embedding[index] = Math.cos(angle);
    embedding[frequencyCount + index] = Math.sin(angle);
  }
  return embedding;
}

import { expect, test } from "vitest";
import {
  tinyAdapter,
  tinyCaption,
  tinyLoraModules,
  tinyTransformer,
} from "../../test/tiny-networks.ts";
import { RefinedCaptions } from "./refined-captions.ts";
import type { Session } from "./session.ts";
import type { Caption } from "./transformer-feeds.ts";

/** Gives rows that name their run; `floats` each. */
class CountingSession implements Session {
  runs = 0;
  readonly #floats: number;

  constructor(floats = 1) {
    this.#floats = floats;
  }

  async run(): Promise<Float32Array> {
    this.runs += 1;
    return new Float32Array(this.#floats).fill(this.runs);
  }

  async close(): Promise<void> {}
}

const adapter = tinyAdapter("one", tinyLoraModules);
const inputs = { loraTargets: [], loraSupport: "none" } as const;

test("a caption is refined once for all steps of its picture", async () => {
  const session = new CountingSession();
  const captions = new RefinedCaptions(tinyTransformer, session, inputs);
  const caption = tinyCaption("a", 5);

  const first = await captions.refine(caption, []);

  expect(await captions.refine({ ...caption }, [])).toBe(first);
  expect(first.rows).toBe(32);
  expect(session.runs).toBe(1);
});

test("other words and other adapters, at other weights, are other rows", async () => {
  const session = new CountingSession();
  const captions = new RefinedCaptions(tinyTransformer, session, inputs);
  const caption = tinyCaption("a", 5);
  const stacks = [[], [{ adapter, strength: 1 }], [{ adapter, strength: 0.5 }]];

  for (const stack of stacks) await captions.refine(caption, stack);
  await captions.refine(tinyCaption("a", 5), []);

  expect(session.runs).toBe(4);
});

test("rows that were used longest ago leave when there are too many", async () => {
  const session = new CountingSession(4 * 1024 * 1024);
  const captions = new RefinedCaptions(tinyTransformer, session, inputs);
  const [a, b, c] = ["a", "b", "c"].map((name) => tinyCaption(name, 5)) as [
    Caption,
    Caption,
    Caption,
  ];

  for (const caption of [a, b, a, c, a]) await captions.refine(caption, []);
  expect(session.runs).toBe(3);
  await captions.refine(b, []);
  expect(session.runs).toBe(4);
});

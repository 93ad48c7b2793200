import { expect, test } from "vitest";
import { expectClose } from "../../test/expect-tensor.ts";
import { writeVaeEncoder } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { tinyVae } from "../../test/tiny-networks.ts";
import { openSession } from "../networks/session.ts";
import { buildVaeEncoderGraph, vaeEncoderInput } from "./vae-encoder-graph.ts";

test("trap 18: halving pads to the right and below, as in the reference", async () => {
  await using checkpoint = await writeVaeEncoder(tinyVae);
  const { index } = checkpoint;
  const session = await openSession(buildVaeEncoderGraph(tinyVae, index), index.folder);
  const data = fillInput("input.vae.image", 3 * 8 * 12, 1);

  const moments = await session.run({ [vaeEncoderInput]: { data, dims: [1, 3, 8, 12] } });
  await session.close();

  expect(moments).toHaveLength(32 * 4 * 6);
  expectClose(moments.slice(0, 4), [-0.256322, 0.011999, -0.431226, -0.15732], 2e-5);
  const sum = moments.reduce((total, value) => total + value, 0);
  const norm = Math.hypot(...moments);
  expectClose([sum, norm], [-33.731106, 14.524937], 1e-4);
});

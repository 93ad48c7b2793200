/** Compares the decoder on the reference's latents, and the final pictures of both sides. */
import type { Pixels } from "@zfarm/zimage";
import { openVaeDecoder, toPixels } from "@zfarm/zimage";
import { decoderBound } from "./bounds.ts";
import type { Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { comparePictures, compareTensors } from "./compare.ts";
import { type Drawing, latentSize, type Recording } from "./drawing.ts";
import type { Setting } from "./setting.ts";

export interface CheckedPictures {
  readonly lines: readonly Line[];
  /** Our pictures by drawing. */
  readonly pixels: ReadonlyMap<string, Pixels>;
}

export async function checkPictures(
  setting: Setting,
  recordings: readonly Recording[],
  latents: ReadonlyMap<string, Float32Array>,
): Promise<CheckedPictures> {
  const { model, mode, bounds, options } = setting;
  const decoder = await openVaeDecoder(model.vae.config, model.vae.tensors, options);
  const decode = async (latent: Float32Array, { spec }: Drawing): Promise<Float32Array> => {
    const { latentHeight: height, latentWidth: width } = latentSize(spec, model);
    const [image = new Float32Array()] = await decoder.decode({ latents: [latent], height, width });
    return image;
  };
  try {
    const lines: Line[] = [];
    const pixels = new Map<string, Pixels>();
    for (const recording of recordings) {
      const { drawing, about } = recording;
      const theirs = await decode(await recording.after(drawing.spec.steps - 1), drawing);
      const decoded = compareTensors(theirs, await recording.decoded());
      const latent = latents.get(drawing.name) ?? new Float32Array();
      const ours = toPixels(await decode(latent, drawing), drawing.spec);
      const picture = comparePictures(ours.data, await recording.pixels());
      pixels.set(drawing.name, ours);
      lines.push(
        judge({ mode, ...about, part: "vae", measured: decoded, bound: decoderBound }),
        judge({ mode, ...about, part: "picture", measured: picture, bound: bounds.picture }),
      );
    }
    return { lines, pixels };
  } finally {
    await decoder.close();
  }
}

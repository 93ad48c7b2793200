/** The names and shapes of AutoencoderKL: the decoder must be there, the encoder may be. */
import type { VaeConfig } from "../config.ts";
import type { ExpectedTensors } from "./expected-tensors.ts";
import { ShapeList } from "./expected-tensors.ts";

const pictureChannels = 3;

/** Tensors of AutoencoderKL; 244 with the encoder for the released configuration. */
export function expectedVaeTensors(config: VaeConfig): ExpectedTensors {
  const decoder = new ShapeList();
  const encoder = new ShapeList();
  addDecoder(decoder, config);
  addEncoder(encoder, config);
  return { required: decoder.shapes, optional: encoder.shapes };
}

function addDecoder(list: ShapeList, config: VaeConfig): void {
  const levels = config.blockChannels.toReversed();
  const [deepest = 0] = levels;
  const outermost = levels.at(-1) ?? 0;
  list.affine("decoder.conv_in", [deepest, config.latentChannels, 3, 3]);
  addMiddle(list, "decoder.mid_block", deepest);
  let channels = deepest;
  for (const [level, out] of levels.entries()) {
    const name = `decoder.up_blocks.${level}`;
    // The decoder has one resnet more per level than the encoder.
    for (let at = 0; at <= config.layersPerBlock; at += 1) {
      addResnet(list, `${name}.resnets.${at}`, [channels, out]);
      channels = out;
    }
    if (level < levels.length - 1) list.affine(`${name}.upsamplers.0.conv`, [out, out, 3, 3]);
  }
  addNorm(list, "decoder.conv_norm_out", outermost);
  list.affine("decoder.conv_out", [pictureChannels, outermost, 3, 3]);
}

function addEncoder(list: ShapeList, config: VaeConfig): void {
  const levels = config.blockChannels;
  const [outermost = 0] = levels;
  const deepest = levels.at(-1) ?? 0;
  list.affine("encoder.conv_in", [outermost, pictureChannels, 3, 3]);
  let channels = outermost;
  for (const [level, out] of levels.entries()) {
    const name = `encoder.down_blocks.${level}`;
    for (let at = 0; at < config.layersPerBlock; at += 1) {
      addResnet(list, `${name}.resnets.${at}`, [channels, out]);
      channels = out;
    }
    if (level < levels.length - 1) list.affine(`${name}.downsamplers.0.conv`, [out, out, 3, 3]);
  }
  addMiddle(list, "encoder.mid_block", deepest);
  addNorm(list, "encoder.conv_norm_out", deepest);
  // Mean and logarithm of the variance.
  list.affine("encoder.conv_out", [2 * config.latentChannels, deepest, 3, 3]);
}

function addMiddle(list: ShapeList, name: string, channels: number): void {
  addResnet(list, `${name}.resnets.0`, [channels, channels]);
  addResnet(list, `${name}.resnets.1`, [channels, channels]);
  addNorm(list, `${name}.attentions.0.group_norm`, channels);
  for (const kind of ["to_q", "to_k", "to_v", "to_out.0"]) {
    list.affine(`${name}.attentions.0.${kind}`, [channels, channels]);
  }
}

function addResnet(list: ShapeList, name: string, channels: readonly [number, number]): void {
  const [input, output] = channels;
  addNorm(list, `${name}.norm1`, input);
  list.affine(`${name}.conv1`, [output, input, 3, 3]);
  addNorm(list, `${name}.norm2`, output);
  list.affine(`${name}.conv2`, [output, output, 3, 3]);
  if (input !== output) list.affine(`${name}.conv_shortcut`, [output, input, 1, 1]);
}

function addNorm(list: ShapeList, name: string, channels: number): void {
  list.affine(name, [channels]);
}

/** RenderService.RenderImage: one prompt in, one picture out. */
import { limits, RenderImageRequest, type RenderImageResponse } from "@zfarm/contract";
import { decodeRender } from "./decode.ts";
import { render } from "./render.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const renderImage: UnaryMethod<RenderImageRequest, RenderImageResponse> = {
  name: "RenderImage",
  decode: (bytes) => decodeRender(RenderImageRequest, bytes),
  deadlineMs: limits.renderMs,
  drain: "finish",
  // An abort cancels the task before the call ends.
  abort: "handler",
  run: async (request, scope, needs) => await render(needs, request, { scope }),
};

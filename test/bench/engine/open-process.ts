/** Opens a model with all of its networks, and closes it again. */
import { openPipeline } from "@zfarm/zimage";
import { type Timed, timed } from "./stopwatch.ts";

export interface OpenRequest {
  readonly modelDir: string;
  readonly threads: number;
  readonly memoryBytes: number;
}

const { modelDir, ...options } = JSON.parse(process.argv[2] ?? "{}") as OpenRequest;
const [pipeline, open] = await timed(() => openPipeline(modelDir, options));
await pipeline.close();
process.send?.(open satisfies Timed);

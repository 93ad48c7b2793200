/**
 * Builds the farm's images with the engine that this machine has: `npm run images [-- --gpu
 * --tag NAME --engine docker|podman|buildah --node-image NAME --from-debian]`. Exit code 0: built;
 * 1: something broke; 2: the arguments are wrong.
 */
import { join } from "node:path";
import { argv, env, exit, stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeDebianBase } from "./images/debian-base.ts";
import { buildImage, type Engine, engines, findEngine } from "./images/engine.ts";

const usage =
  "usage: npm run images [-- [--gpu] [--tag NAME] [--engine docker|podman|buildah] " +
  "[--node-image NAME | --from-debian]]";
const root = fileURLToPath(new URL("../", import.meta.url));

interface Arguments {
  readonly gpu: boolean;
  readonly fromDebian: boolean;
  readonly tag?: string;
  readonly engine?: Engine;
  readonly nodeImage?: string;
}

/** undefined: not understood. */
function readArguments(args: readonly string[]): Arguments | undefined {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    const options = {
      gpu: flag,
      "from-debian": flag,
      tag: text,
      engine: text,
      "node-image": text,
    };
    const { values } = parseArgs({ args: [...args], options });
    const { gpu, tag, "from-debian": fromDebian, "node-image": nodeImage } = values;
    const engine = engines.find((one) => one === values.engine);
    if (engine !== values.engine || (fromDebian && nodeImage !== undefined)) return undefined;
    return {
      gpu,
      fromDebian,
      ...(tag === undefined ? {} : { tag }),
      ...(engine === undefined ? {} : { engine }),
      ...(nodeImage === undefined ? {} : { nodeImage }),
    };
  } catch {
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = readArguments(args);
  if (wanted === undefined) {
    stderr.write(`${usage}\n`);
    return 2;
  }
  const { gpu, fromDebian, tag = gpu ? "zfarm-gpu" : "zfarm" } = wanted;
  const engine = await findEngine(wanted.engine === undefined ? engines : [wanted.engine]);
  if (engine === undefined) {
    stderr.write(`images: no ${wanted.engine ?? engines.join(", ")} answers on this machine\n`);
    return 1;
  }
  const nodeImage = fromDebian ? await makeDebianBase(engine, root) : wanted.nodeImage;
  const authorities = env["NODE_EXTRA_CA_CERTS"];
  await buildImage(engine, {
    dockerfile: join(root, "deploy/docker", gpu ? "Dockerfile.gpu" : "Dockerfile"),
    tag,
    context: root,
    ...(nodeImage === undefined ? {} : { nodeImage }),
    ...(authorities === undefined ? {} : { authorities }),
  });
  stdout.write(`${tag}\n`);
  return 0;
}

exit(
  await main(argv.slice(2)).catch((error: unknown) => {
    stderr.write(`images: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }),
);

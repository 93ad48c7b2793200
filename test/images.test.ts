/** What the Dockerfiles say fits to the repository and to the chart; test/images builds them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readText, repositoryRoot } from "./repository.ts";

const folder = "deploy/docker";
const script = readText(`${folder}/take-apart.sh`);
const packageVersion = (JSON.parse(readText("package.json")) as { version: string }).version;
const lock = JSON.parse(readText("package-lock.json")) as {
  packages: Record<string, { readonly version?: string }>;
};

describe.each(["Dockerfile", "Dockerfile.gpu"])("%s", (name) => {
  const lines = readText(`${folder}/${name}`).split("\n");
  const valuesOf = (instruction: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length + 1));

  test("runs Node itself, so that signals reach the service, on files that are there", () => {
    expect(valuesOf("ENTRYPOINT").map((text) => JSON.parse(text))).toEqual([["node"]]);
    const [command] = valuesOf("CMD").map((text) => JSON.parse(text) as string[]);
    expect(existsSync(join(repositoryRoot, command?.[0] ?? "nothing"))).toBe(true);
  });

  test("runs as the user that the chart names, on the Node that the tests use", () => {
    const { podSecurityContext } = parse(readText("deploy/helm/zfarm/values.yaml"));
    const { runAsUser, runAsGroup } = podSecurityContext;
    expect(valuesOf("USER")).toEqual([`${runAsUser}:${runAsGroup}`]);
    const major = lock.packages["node_modules/node"]?.version?.split(".")[0];
    expect(valuesOf("ARG")).toEqual([`NODE_IMAGE=node:${major}-trixie-slim`]);
  });

  test("keeps the small model where the chart looks for it", () => {
    expect(valuesOf("WORKDIR")).toEqual(["/app"]);
    const model = readText("deploy/helm/zfarm/templates/worker/_model.tpl");
    expect(model).toContain("\n/app/models/z-image-nano\n");
    expect(existsSync(join(repositoryRoot, "models/z-image-nano/model_index.json"))).toBe(true);
  });

  test("says which version it is", () => {
    expect(lines.join("\n")).toContain(`org.opencontainers.image.version="${packageVersion}"`);
  });

  test("installs packages from manifests alone, and needs no source for it", () => {
    const stage = lines.slice(lines.indexOf("FROM ${NODE_IMAGE} AS modules"));
    const [, ...copies] = stage.slice(0, stage.lastIndexOf("FROM ${NODE_IMAGE}"));
    expect(copies.filter((line) => line.startsWith("COPY --from=repository"))).toEqual([
      "COPY --from=repository /manifests /app",
    ]);
  });
});

test("the context holds all that the script takes, and all of the scripts", () => {
  const given = readText(".dockerignore").match(/(?<=^!).*$/gm) ?? [];
  const taken = /-cf - (package.json LICENSE .*) \|/.exec(script)?.[1]?.split(" ") ?? [];
  expect(taken.length).toBeGreaterThan(5);
  expect(given).toEqual(expect.arrayContaining([...taken, "package-lock.json", folder]));
  for (const path of taken) expect(existsSync(join(repositoryRoot, path)), path).toBe(true);
});

test("the CUDA provider is of the runtime's own version, and every wheel has its checksum", () => {
  const wheels = readText(`${folder}/cuda-wheels.txt`)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of wheels)
    expect(line).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  const { version } = lock.packages["node_modules/onnxruntime-node"] ?? {};
  expect(wheels[0]).toContain(`onnxruntime-gpu==${version} `);
});

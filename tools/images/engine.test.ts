import { expect, test } from "vitest";
import { buildArguments } from "./engine.ts";

const build = { dockerfile: "deploy/docker/Dockerfile", tag: "zfarm", context: "." };

test("tells an engine what to build, and no more than was said", () => {
  expect(buildArguments("docker", build).join(" ")).toBe(
    "build --file deploy/docker/Dockerfile --tag zfarm .",
  );
});

test("gives a build another base, and a proxy's authorities as a secret of no layer", () => {
  const args = buildArguments("podman", { ...build, nodeImage: "base:24", authorities: "ca.pem" });
  expect(args.join(" ")).toContain("--build-arg NODE_IMAGE=base:24");
  expect(args.join(" ")).toContain("--secret id=ca-certificates,src=ca.pem");
});

test("has buildah keep the layers of a build for the next one", () => {
  expect(buildArguments("buildah", build)).toContain("--layers");
});

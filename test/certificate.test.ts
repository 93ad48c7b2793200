/** The committed certificate still belongs to the committed model, and every line of it holds. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openModelDirectory, weightModes } from "@zfarm/zimage";
import { describe, expect, test } from "vitest";
import { holds, parseCertificate } from "../tools/certify/certificate.ts";
import { renderPage } from "../tools/certify/page.ts";
import { listFiles, readText, repositoryRoot } from "./repository.ts";

const certificate = parseCertificate(JSON.parse(readText("docs/certificate/z-image-nano.json")));
const modelFolder = "models/z-image-nano";

/** Every part that a certificate of the small model must hold lines of. */
const parts = [
  "noise",
  "tokens",
  "text",
  "transformer",
  "latents",
  "vae",
  "picture",
  "batch",
  "pipeline",
  "full width",
];

describe("the certificate of the small model", () => {
  test("was made with the weights that are committed", async () => {
    const model = await openModelDirectory(join(repositoryRoot, modelFolder));

    expect(certificate.model.digest).toBe(model.digest);
  });

  test("was made with the adapters that are committed", () => {
    const digests = listFiles()
      .filter((path) => path.startsWith(`${modelFolder}/loras/`))
      .map((path) => createHash("sha256").update(readFileSync(join(repositoryRoot, path))))
      .map((hash) => hash.digest("hex"));

    expect(certificate.model.loras.map((lora) => lora.digest).sort()).toEqual(digests.sort());
  });

  test("was made with the engine and the reference that are pinned", () => {
    const manifest = JSON.parse(readText("packages/zimage/package.json")) as {
      dependencies: Record<string, string>;
    };
    const pins = readText("tools/certify/requirements.txt").trim().split("\n");

    expect(certificate.ours["onnxruntime-node"]).toBe(manifest.dependencies["onnxruntime-node"]);
    for (const [name, version] of pins.map((pin) => pin.split("=="))) {
      if (name === undefined || certificate.reference[name] === undefined) continue;
      expect(`${name} ${certificate.reference[name]}`).toBe(`${name} ${version}`);
    }
  });

  test("has lines of every part in every mode", () => {
    for (const mode of weightModes) {
      const own = certificate.lines.filter((line) => [mode, "any"].includes(line.mode));

      expect([...new Set(own.map((line) => line.part))].sort()).toEqual(parts.toSorted());
    }
  });

  test("has lines of each adapter, alone and together, in both of the reference's ways", () => {
    const names = certificate.model.loras.map((lora) => lora.name);
    for (const subject of [...names, names.join(" + ")]) {
      const own = certificate.lines.filter((line) => line.subject === subject);

      expect(new Set(own.map((line) => line.way))).toEqual(
        new Set(["loader", "merged", undefined]),
      );
    }
  });

  test("holds in every line", () => {
    const broken = certificate.lines.filter(
      ({ measured, bound, pass }) => !pass || !holds(measured, bound),
    );

    expect(broken).toEqual([]);
    expect(certificate.pass).toBe(true);
  });

  test("says on its page what its data say", () => {
    expect(readText("docs/certificate/z-image-nano.md")).toBe(
      renderPage(certificate, "z-image-nano.png"),
    );
  });
});

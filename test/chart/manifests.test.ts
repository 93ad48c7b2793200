/** What the chart renders, checked field by field against Kubernetes' schemas, with no cluster. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findToolForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kubeconform } from "../../tools/servers/kubeconform.mjs";
import { helmAtHand, renderText, variants, withOperator } from "./render-chart.ts";

const kubeconformAtHand = await findToolForTests(kubeconform, "kubeconform.mjs");
const schemas = fileURLToPath(new URL("gen/{{.ResourceKind}}.json", import.meta.url));
/** Of operators, whose schemas are theirs. */
const foreign = "PodMonitor,PrometheusRule,ScaledObject,TriggerAuthentication";

describe.runIf(helmAtHand && kubeconformAtHand)("manifests of the chart", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-manifests-"));
  });

  afterAll(async () => rm(folder, { recursive: true, force: true }));

  /** Rejects with what is wrong. */
  const conform = async (manifests: string): Promise<string> => {
    const file = join(folder, "manifests.yaml");
    await writeFile(file, manifests);
    const how = ["-strict", "-summary", "-schema-location", schemas, "-skip", foreign];
    const path = kubeconformAtHand?.path ?? "";
    return (await promisify(execFile)(path, [...how, file])).stdout;
  };

  it.each(variants)("are what Kubernetes takes: %s", async (variant) => {
    const said = await conform(await renderText(variant, ...withOperator));

    expect(said).toMatch(/Valid: \d{2}, Invalid: 0, Errors: 0/);
  });

  it("are refused for a field that Kubernetes does not know, however deep", async () => {
    const rendered = await renderText("minimal");
    const mistaken = rendered.replace("failureThreshold:", "failureTreshold:");

    expect(mistaken).not.toBe(rendered);
    await expect(conform(mistaken)).rejects.toMatchObject({
      stdout: expect.stringMatching(/additional properties 'failureTreshold' not allowed/),
    });
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvReader } from "@zfarm/runtime";
import { expect, onTestFinished, test } from "vitest";
import { readKeda } from "./keda-config.ts";

function read(env: Record<string, string>) {
  const reader = new EnvReader(env);
  const config = readKeda(reader);
  reader.finish();
  return config;
}

test("KEDA asks at 50052, without TLS, unless it is said otherwise", () => {
  expect(read({})).toEqual({ host: "0.0.0.0", port: 50_052 });
  expect(read({ AUTOSCALER_KEDA_PORT: "6000" })).toMatchObject({ port: 6_000 });
});

test("a certificate and its key are read from files", () => {
  const folder = mkdtempSync(join(tmpdir(), "zfarm-keda-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "tls.pem");
  writeFileSync(path, "pem");

  const env = { AUTOSCALER_KEDA_TLS_CERT_FILE: path, AUTOSCALER_KEDA_TLS_KEY_FILE: path };

  expect(read(env).tls).toEqual({ certificate: Buffer.from("pem"), key: Buffer.from("pem") });
});

test("half a configuration of TLS is refused, and a file that is not there", () => {
  expect(() => read({ AUTOSCALER_KEDA_TLS_CERT_FILE: "none.pem" })).toThrow(
    "AUTOSCALER_KEDA_TLS_CERT_FILE cannot be read (ENOENT): none.pem",
  );
  expect(() => read({ AUTOSCALER_KEDA_TLS_CA_FILE: import.meta.filename })).toThrow("go together");
});

/** Where KEDA asks, and whom it finds there. */
import { readFileSync } from "node:fs";
import type { EnvReader } from "@zfarm/runtime";

export interface KedaTls {
  /** PEM. */
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Who signed the certificates that callers must show; absent: callers show none. */
  readonly callers?: Buffer;
}

export interface KedaConfig {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: KedaTls;
}

const portDefault = 50_052;

/** AUTOSCALER_KEDA_HOST, _PORT, _TLS_CERT_FILE, _TLS_KEY_FILE, _TLS_CA_FILE. */
export function readKeda(reader: EnvReader): KedaConfig {
  const host = reader.text("AUTOSCALER_KEDA_HOST", { default: "0.0.0.0" });
  const port = reader.integer("AUTOSCALER_KEDA_PORT", {
    default: portDefault,
    min: 0,
    max: 65_535,
  });
  const certificate = readPem(reader, "AUTOSCALER_KEDA_TLS_CERT_FILE");
  const key = readPem(reader, "AUTOSCALER_KEDA_TLS_KEY_FILE");
  const callers = readPem(reader, "AUTOSCALER_KEDA_TLS_CA_FILE");
  if (certificate === undefined || key === undefined) {
    if ((certificate ?? key ?? callers) !== undefined) {
      reader.problem("AUTOSCALER_KEDA_TLS_CERT_FILE and AUTOSCALER_KEDA_TLS_KEY_FILE go together");
    }
    return { host, port };
  }
  const tls = { certificate, key, ...(callers === undefined ? {} : { callers }) };
  return { host, port, tls };
}

function readPem(reader: EnvReader, variable: string): Buffer | undefined {
  const path = reader.optionalText(variable);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    reader.problem(`${variable} cannot be read (${reason}): ${path}`);
    return undefined;
  }
}

/** The autoscaler's settings: which hands it has, and what each pool should be like. */
import { readFileSync } from "node:fs";
import { limits } from "@zfarm/contract";
import type { EnvReader } from "@zfarm/runtime";
import { type AutoscalerFile, noFile, parseAutoscalerFile } from "./autoscaler-file.ts";
import { type KedaConfig, readKeda } from "./keda/keda-config.ts";
import { type KubernetesConfig, readKubernetes } from "./kubernetes/kubernetes-config.ts";

/** Hands that this build has. */
export const actuatorNames = ["none", "kubernetes", "keda", "local"] as const;

export type ActuatorName = (typeof actuatorNames)[number];

/** What kinds of hands need to know beside the pools; each has its own. */
interface ActuatorSettings {
  readonly actuator: ActuatorName;
  readonly kubernetes?: KubernetesConfig;
  readonly keda?: KedaConfig;
}

export interface AutoscalerConfig extends AutoscalerFile, ActuatorSettings {}

/** AUTOSCALER, AUTOSCALER_FILE, and what the hands read. */
export function readAutoscaler(reader: EnvReader): AutoscalerConfig {
  const actuator = reader.choice("AUTOSCALER", actuatorNames, "none");
  const path = reader.optionalText("AUTOSCALER_FILE");
  const file = path === undefined ? noFile : readFile(reader, path);
  const shards = reader.optionalText("FARM_SHARDS") ?? "1";
  if (isActive(actuator) && shards !== "1") {
    const why = "no leader sees the whole backlog of a farm with several shards";
    reader.problem(`AUTOSCALER=${actuator} needs FARM_SHARDS=1, got ${shards}: ${why}`);
  }
  if (isActive(actuator) && path === undefined) {
    reader.problem(`AUTOSCALER=${actuator} needs AUTOSCALER_FILE, which names the pools`);
  }
  return { ...readSettings(reader, actuator), ...file };
}

function readSettings(reader: EnvReader, actuator: ActuatorName): ActuatorSettings {
  switch (actuator) {
    case "none":
    case "local":
      return { actuator };
    case "kubernetes":
      return { actuator, kubernetes: readKubernetes(reader) };
    case "keda":
      return { actuator, kubernetes: readKubernetes(reader), keda: readKeda(reader) };
  }
}

function isActive(actuator: string): boolean {
  return actuator !== "none";
}

function readFile(reader: EnvReader, path: string): AutoscalerFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    reader.problem(`AUTOSCALER_FILE cannot be read (${reason}): ${path}`);
    return noFile;
  }
  if (text.length > limits.autoscaleFileBytesMax) {
    const bound = limits.autoscaleFileBytesMax;
    reader.problem(`AUTOSCALER_FILE must have at most ${bound} characters, got ${text.length}`);
    return noFile;
  }
  return parseAutoscalerFile(text, (problem) => reader.problem(`AUTOSCALER_FILE: ${problem}`));
}

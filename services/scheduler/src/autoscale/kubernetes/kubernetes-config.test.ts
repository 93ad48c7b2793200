import { EnvReader } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { readKubernetes } from "./kubernetes-config.ts";

function read(env: Record<string, string>) {
  const reader = new EnvReader(env);
  const config = readKubernetes(reader);
  reader.finish();
  return config;
}

describe("access to Kubernetes", () => {
  test("is the pod's own, in its namespace", () => {
    const env = { POD_NAMESPACE: "farm", KUBERNETES_SERVICE_HOST: "10.0.0.1" };

    expect(read(env)).toEqual({ namespace: "farm" });
  });

  test("may come from a kubeconfig outside of a cluster", () => {
    const env = { POD_NAMESPACE: "farm", KUBECONFIG: "config.yaml" };

    expect(read(env)).toEqual({ namespace: "farm", kubeconfig: "config.yaml" });
  });

  test("is asked for where there is none, with everything that is missing", () => {
    expect(() => read({})).toThrow(/POD_NAMESPACE is not set.*KUBERNETES_SERVICE_HOST is not set/);
  });

  test("refuses a namespace that cannot be one", () => {
    const env = { POD_NAMESPACE: "Farm_1", KUBECONFIG: "config.yaml" };

    expect(() => read(env)).toThrow("POD_NAMESPACE must be 1 to 63 of a-z 0-9 -, not starting");
  });
});

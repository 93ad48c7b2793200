/** The files that the processes of a control plane read at their start. */
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CertificateAuthority } from "../certificate-authority.ts";
import { kwokStages } from "./kube-objects.ts";

export interface KubePlace {
  readonly folder: string;
  readonly server: string;
  /** The file of the API server's own certificates. */
  readonly certificates: string;
  readonly token: string;
}

export async function writeControlPlaneFiles(place: KubePlace): Promise<void> {
  const accounts = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  // Servers of other APIs know by it that it is the API server that calls, in somebody's name.
  const authority = new CertificateAuthority("front-proxy-ca");
  const frontProxy = authority.issue({ commonName: "front-proxy" });
  const files = {
    "accounts.pub": accounts.publicKey,
    "accounts.key": accounts.privateKey,
    "front-proxy-ca.crt": authority.certificate,
    "front-proxy.crt": frontProxy.certificate,
    "front-proxy.key": frontProxy.key,
    "tokens.csv": `${place.token},zfarm-test,zfarm-test,system:masters\n`,
    kubeconfig: kubeconfigOf(place),
    "audit-policy.json": JSON.stringify(auditPolicy),
    "stages.yaml": kwokStages()
      .map((stage) => `---\n${JSON.stringify(stage)}\n`)
      .join(""),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(place.folder, name), content, { mode: 0o600 });
  }
}

/** What service accounts ask for, and nobody else. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [{ level: "Metadata", userGroups: ["system:serviceaccounts"] }, { level: "None" }],
};

/** The text of a file that programs find the API server with. */
export function kubeconfigOf({ server, certificates, token }: Omit<KubePlace, "folder">): string {
  const name = "zfarm-test";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority": certificates } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}

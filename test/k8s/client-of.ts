/** A client with the credentials of a kubeconfig that the test control plane wrote. */
import { readFile } from "node:fs/promises";
import { KubeClient } from "@zfarm/testing";

export async function clientOf(kubeconfig: string): Promise<KubeClient> {
  const told = JSON.parse(await readFile(kubeconfig, "utf8")) as {
    clusters: [{ cluster: { server: string; "certificate-authority": string } }];
    users: [{ user: { token: string } }];
  };
  const { server, "certificate-authority": file } = told.clusters[0].cluster;
  const certificates = await readFile(file, "utf8");
  return new KubeClient({ server, certificates, token: told.users[0].user.token });
}

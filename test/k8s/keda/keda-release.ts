/** A release of the chart on a cluster with KEDA, which shows its scheduler a certificate. */
import { CertificateAuthority } from "@zfarm/testing";
import type { ManagedProcess } from "../../chaos/farm/managed-process.ts";
import type { Cluster } from "../cluster.ts";
import { componentOf, namespace, openRelease, type Release } from "../release.ts";
import { ClusterNetwork } from "./cluster-network.ts";
import { type Keda, startKeda } from "./keda.ts";
import { ScaledObject } from "./scaled-object.ts";

const scaler = `farm-zfarm-scaler.${namespace}`;
const scalerPort = 50_052;
const secrets = { existingSecret: "scaler-tls", clientSecret: "keda-tls" };

export interface KedaRelease {
  readonly release: Release;
  readonly keda: Keda;
  /** Of the default pool. */
  readonly scaledObject: ScaledObject;
  schedulers(): Promise<ManagedProcess[]>;
  stop(): Promise<void>;
}

/** @param pool The default pool's values. */
export async function openKedaRelease(pool: object): Promise<KedaRelease> {
  let release: Release | undefined;
  let keda: Keda | undefined;
  const network = new ClusterNetwork({
    [`${scaler}:${scalerPort}`]: async () => release?.endpoints("scheduler", scalerPort) ?? [],
  });
  const address = await network.listen();
  const asking = { pollingInterval: 1, tls: secrets };
  release = await openRelease(
    { autoscaler: { kind: "keda", tickSeconds: 1, keda: asking }, pools: { default: pool } },
    async (cluster) => {
      await addSecrets(cluster);
      keda = await startKeda(cluster, address);
    },
  );
  if (keda === undefined) throw new Error("KEDA is started before the chart is installed");
  return new OpenKedaRelease({ release, keda, network });
}

class OpenKedaRelease implements KedaRelease {
  readonly release: Release;
  readonly keda: Keda;
  readonly scaledObject: ScaledObject;
  readonly #network: ClusterNetwork;

  constructor(parts: { release: Release; keda: Keda; network: ClusterNetwork }) {
    this.release = parts.release;
    this.keda = parts.keda;
    this.#network = parts.network;
    const { client } = parts.release.cluster;
    this.scaledObject = new ScaledObject(client, namespace, "farm-zfarm-worker-default");
  }

  async schedulers(): Promise<ManagedProcess[]> {
    const { cluster, processes } = this.release;
    const pods = await cluster.podsBy(namespace, componentOf("scheduler"));
    return pods.flatMap(({ metadata }) => processes.process(metadata.name) ?? []);
  }

  async stop(): Promise<void> {
    await this.release.stop();
    await this.#network.close();
  }
}

async function addSecrets({ client }: Cluster): Promise<void> {
  const authority = new CertificateAuthority("zfarm");
  const issued = {
    [secrets.existingSecret]: authority.issue({ commonName: "scaler", hosts: [scaler] }),
    [secrets.clientSecret]: authority.issue({ commonName: "keda" }),
  };
  for (const [name, { certificate, key }] of Object.entries(issued)) {
    await client.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace },
      stringData: { "ca.crt": authority.certificate, "tls.crt": certificate, "tls.key": key },
    });
  }
}

/** A release of the chart on a cluster with KEDA, which shows its scheduler a certificate. */
import { CertificateAuthority } from "@zfarm/testing";
import type { ManagedProcess } from "../../chaos/farm/managed-process.ts";
import { metricOf } from "../../chaos/farm/probe.ts";
import { waitUntil } from "../../chaos/farm/wait-until.ts";
import type { Cluster } from "../cluster.ts";
import { componentOf, namespace, openRelease, type Release } from "../release.ts";
import { ClusterNetwork } from "./cluster-network.ts";
import { installKeda, type Keda, startKeda } from "./keda.ts";
import { ScaledObject } from "./scaled-object.ts";

const scaler = `farm-zfarm-scaler.${namespace}`;
const scalerPort = 50_052;
const decidedWithinMs = 20_000;
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
  const keda = { pollingInterval: 1, tls: secrets };
  const release = await openRelease(
    { autoscaler: { kind: "keda", tickSeconds: 1, keda }, pools: { default: pool } },
    async (cluster) => {
      await installKeda(cluster);
      await addSecrets(cluster);
    },
  );
  const network = new ClusterNetwork({
    [`${scaler}:${scalerPort}`]: () => release.endpoints("scheduler", scalerPort),
  });
  const opened = new OpenKedaRelease(release, network);
  try {
    await opened.start();
    return opened;
  } catch (error) {
    await opened.stop();
    throw error;
  }
}

class OpenKedaRelease implements KedaRelease {
  readonly release: Release;
  readonly scaledObject: ScaledObject;
  readonly #network: ClusterNetwork;
  #keda: Keda | undefined;

  constructor(release: Release, network: ClusterNetwork) {
    this.release = release;
    this.#network = network;
    const { client } = release.cluster;
    this.scaledObject = new ScaledObject(client, namespace, "farm-zfarm-worker-default");
  }

  get keda(): Keda {
    if (this.#keda === undefined) throw new Error("KEDA is started before it is asked");
    return this.#keda;
  }

  /** Not before the leader has decided: KEDA would look again after longer and longer times. */
  async start(): Promise<void> {
    const { cluster } = this.release;
    const leader = await this.release.leader();
    await waitUntil("the leader decides", decidedWithinMs, async () => {
      return ((await metricOf(leader, "zfarm_autoscale_decisions_total")) ?? 0) > 0;
    });
    await this.release.ready("scheduler");
    this.#keda = await startKeda(cluster, await this.#network.listen());
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

/** What hinders the hands on Kubernetes; empty on a standby. */
import { Gauge, type Registry } from "@zfarm/runtime";

export type KubernetesMetrics = ReturnType<typeof createKubernetesMetrics>;

export function createKubernetesMetrics(registry: Registry) {
  return {
    hindered: new Gauge({
      name: "zfarm_autoscale_hindered",
      help: "1 where a pool is left alone, because its Deployment is missing or has other scalers.",
      labelNames: ["pool"],
      registers: [registry],
    }),
  };
}

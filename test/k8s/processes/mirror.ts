/**
 * Workers behind the pods of a namespace, in a process of their own:
 * `node mirror.ts NATS_URL KUBECONFIG NAMESPACE MS_PER_STEP`. Answers each message with its counts.
 */
import { connectNatsBroker } from "@zfarm/broker";
import { silentLog } from "@zfarm/runtime";
import { Fleet } from "../../bench/simulated-fleet.ts";
import { clientOf } from "../client-of.ts";
import { Mirror } from "../mirror.ts";

const [url = "", kubeconfig = "", namespace = "", msPerStep = "0"] = process.argv.slice(2);
const broker = await connectNatsBroker({ servers: [url], name: "fleet", log: silentLog });
const client = await clientOf(kubeconfig);
let leases = 0;
const fleet = new Fleet({
  broker,
  slots: 1,
  drawMs: ({ image }) => (image?.steps ?? 0) * Number(msPerStep),
  onLease: () => {
    leases += 1;
  },
});
const mirror = new Mirror(client, namespace, fleet);
const stop = new AbortController();
process.on("message", () => process.send?.({ ...mirror.counts, leases }));
process.once("disconnect", () => stop.abort());
await mirror.run(stop.signal);
await fleet.stop();
client.close();
await broker.drain();
process.exit(0);

/** A simulated fleet in a process of its own: `node fleet-process.ts NATS_URL WORKERS SLOTS`. */
import { connectNatsBroker } from "@zfarm/broker";
import { silentLog } from "@zfarm/runtime";
import { startFleet } from "./simulated-fleet.ts";

const [url = "", workers = "1", slots = "1"] = process.argv.slice(2);
const broker = await connectNatsBroker({ servers: [url], name: "fleet", log: silentLog });
const fleet = startFleet({ broker, workers: Number(workers), slots: Number(slots) });
await fleet.asking;
process.send?.("asking");
process.once("disconnect", () => {
  void fleet.stop().then(async () => {
    await broker.drain();
    process.exit(0);
  });
});

import type { Broker } from "@zfarm/broker";
import { defineBrokerContract } from "@zfarm/testing";
import { createMemoryFarm } from "./memory-broker.ts";

defineBrokerContract("memory", async (bounds, shards = 1) => {
  const farm = createMemoryFarm({ bounds, shards });
  const open: Broker[] = [];
  return {
    connect: async () => {
      const broker = farm.connect();
      open.push(broker);
      return broker;
    },
    close: async () => {
      for (const broker of open) await broker.drain();
    },
  };
});

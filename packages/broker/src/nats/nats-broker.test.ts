import { defineBrokerContract, findServerForTests, openNatsFarm } from "@zfarm/testing";
import { describe } from "vitest";

describe.runIf((await findServerForTests()) !== undefined)("on a real nats-server", () => {
  defineBrokerContract("nats", (bounds, shards = 1) => openNatsFarm({ bounds, shards }));
});

/** What every broker promises; the one on NATS and the one in memory pass the same suite. */
import { describe } from "vitest";
import { defineBundleContract } from "./broker-bundle-contract.ts";
import type { OpenFarm } from "./broker-farm.ts";
import { defineLeadershipContract } from "./broker-leadership-contract.ts";
import { defineLifeContract } from "./broker-life-contract.ts";
import { defineLinkContract } from "./broker-link-contract.ts";
import { defineLoraContract } from "./broker-lora-contract.ts";
import { defineOutcomeContract } from "./broker-outcome-contract.ts";
import { defineQueueContract } from "./broker-queue-contract.ts";
import { defineQueueFollowContract } from "./broker-queue-follow-contract.ts";
import { defineRecordContract } from "./broker-record-contract.ts";
import { defineShardContract } from "./broker-shard-contract.ts";
import { defineWishesContract } from "./broker-wishes-contract.ts";

export function defineBrokerContract(name: string, open: OpenFarm): void {
  describe(`broker contract: ${name}`, () => {
    defineQueueContract(open);
    defineBundleContract(open);
    defineQueueFollowContract(open);
    defineOutcomeContract(open);
    defineRecordContract(open);
    defineLoraContract(open);
    defineWishesContract(open);
    defineLinkContract(open);
    defineLeadershipContract(open);
    defineLifeContract(open);
    defineShardContract(open);
  });
}

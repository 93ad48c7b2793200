/** The whole fault matrix, in groups that share a farm. */
import { brokerGroup } from "./broker-rows.ts";
import { clockGroup } from "./clock-rows.ts";
import { diskGroup } from "./disk-rows.ts";
import { gatewayGroup } from "./gateway-rows.ts";
import { linkGroup } from "./link-rows.ts";
import { manifestGroup } from "./manifest-rows.ts";
import { partitionGroup } from "./partition-rows.ts";
import type { RowGroup } from "./row.ts";
import { schedulerGroup } from "./scheduler-rows.ts";
import { storeGroup } from "./store-rows.ts";
import { workerGroup } from "./worker-rows.ts";

export const rowGroups: readonly RowGroup[] = [
  workerGroup,
  partitionGroup,
  clockGroup,
  schedulerGroup,
  brokerGroup,
  linkGroup,
  diskGroup,
  storeGroup,
  gatewayGroup,
  manifestGroup,
];

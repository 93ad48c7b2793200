/** Questions that only the leader can answer. */
import type { Broker } from "@zfarm/broker";
import { FarmError, type SchedulerQuery, type SchedulerReply } from "@zfarm/contract";

type Query = NonNullable<SchedulerQuery["query"]>;
type Reply = NonNullable<SchedulerReply["reply"]>;
type ReplyTo<Case extends Query["$case"]> = Extract<Reply, { $case: Case }>["value"];

/** The leader's answer. NO_LEADER, BROKER_UNAVAILABLE. */
export async function askLeader<Case extends Query["$case"]>(
  { queries }: Pick<Broker, "queries">,
  query: Extract<Query, { $case: Case }>,
): Promise<ReplyTo<Case>> {
  const { reply } = await queries.ask({ query });
  if (reply?.$case === query.$case) return reply.value as ReplyTo<Case>;
  throw new FarmError("INTERNAL", `the leader answered ${reply?.$case ?? "nothing"}`);
}

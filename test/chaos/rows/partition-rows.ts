/** W9, W11: a worker in a network namespace of its own whose link fails. */
import { limits } from "@zfarm/contract";
import { findFreePort } from "@zfarm/runtime";
import { startFaultProxy } from "@zfarm/testing";
import { createNamespace, type Namespace } from "../net/namespace.ts";
import { writePromptOrder } from "../prompt-order.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";

interface PartitionGround extends Ground {
  readonly namespace: Namespace;
}

/** Lives in the namespace; the others do not. */
const remote = "worker-1";
/** The broker's client pings this often and gives up after two; then it dials again. */
const partitionMs = 2 * limits.brokerPingMs + limits.leaseMs + 5_000;
const backWithinMs = 20_000;

const cutOff: Row<PartitionGround> = {
  id: "W9",
  promise: "a worker cut off from the broker: its task is drawn elsewhere, and it comes back",
  run: async (context, { namespace }) => {
    await partition(context, {
      fault: "link-down",
      begin: () => namespace.linkDown(),
      end: () => namespace.linkUp(),
    });
  },
};

const muted: Row<PartitionGround> = {
  id: "W11",
  promise: "a worker that hears and cannot send: its task is drawn elsewhere, and it comes back",
  run: async (context, { namespace }) => {
    await partition(context, {
      fault: "one-way",
      begin: () => namespace.mute(),
      end: () => namespace.unmute(),
    });
  },
};

export const partitionGroup: RowGroup<PartitionGround> = {
  name: "partitions",
  needs: ["namespaces"],
  open: openGround,
  rows: [cutOff, muted],
};

async function openGround(): Promise<PartitionGround> {
  const namespace = await createNamespace();
  const natsPort = await findFreePort();
  const { hostAddress, ownAddress, prefix } = namespace;
  const proxy = await startFaultProxy({ targetPort: natsPort, host: hostAddress });
  const inside = {
    prefix,
    opsHost: ownAddress,
    env: { NATS_URL: `nats://${hostAddress}:${proxy.port}` },
  };
  return {
    namespace,
    farm: { workers: 2, natsPort, change: (name) => (name === remote ? inside : {}) },
    close: async () => {
      await proxy.stop();
      await namespace.remove();
    },
  };
}

async function partition(
  context: RowContext,
  link: { fault: string; begin: () => Promise<void>; end: () => Promise<void> },
): Promise<void> {
  const { farm } = context;
  const prompt = writePromptOrder("slow", 5_000);
  const { job, ended } = await context.submit({ count: 2, prompt });
  await context.until("the remote worker has begun", 30_000, () => {
    return context.begins(job).some(({ worker }) => worker === remote);
  });
  farm.fault(link.fault, remote);
  const cutMs = farm.history.now();
  await link.begin();
  let isCut = true;
  const end = async (): Promise<void> => {
    if (isCut) await link.end();
    isCut = false;
  };
  context.undo(end);
  await ended;
  context.note("endedElsewhereMs", farm.history.now() - cutMs);
  context.check(context.begins(job).length === 3, "the task was begun once more, elsewhere");
  await context.wait(Math.max(0, cutMs + partitionMs - farm.history.now()));
  await end();
  const backMs = farm.history.now();
  await context.worker(remote).ready(backWithinMs);
  context.note("backMs", farm.history.now() - backMs);
  const next = await context.submit({ count: 12 });
  await next.ended;
  const isBack = context.begins(next.job).some(({ worker }) => worker === remote);
  context.check(isBack, "the remote worker draws again");
}

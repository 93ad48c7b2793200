/** W14, N5: disks without a free byte, under the pictures and under the broker. */
import { defaultProject, jobName } from "@zfarm/contract";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";

interface DiskGround extends Ground {
  readonly pictures: SmallDisk;
  readonly broker: SmallDisk;
}

const fullMs = 15_000;
const healWithinMs = 15_000;

const noRoomForPictures: Row<DiskGround> = {
  id: "W14",
  promise: "no room for pictures: no worker dies, no task fails, all end once there is room",
  run: async (context, { pictures }) => {
    const { farm } = context;
    context.undo(() => pictures.free());
    const starts = countStarts(context);
    farm.fault("disk-full", "pictures");
    await pictures.fill();
    const { job, ended } = await context.submit({ count: 6 });
    await context.begun(job);
    await context.wait(fullMs);
    context.check(countStarts(context) === starts, "no process has died");
    await pictures.free();
    await ended;
    await context.checkAttempts(job, 1);
  },
};

const noRoomForBroker: Row<DiskGround> = {
  id: "N5",
  promise: "no room for the broker: submits fail as unavailable, and nothing accepted is lost",
  run: async (context, { broker }) => {
    const { farm } = context;
    context.undo(() => broker.free());
    const before = await context.submit({ count: 4 });
    await before.ended;
    const held = await context.submit({ count: 12 });
    await context.begun(held.job);
    farm.fault("disk-full", "broker");
    await broker.fill();
    const { job, request } = context.prepare({ count: 200 });
    const answer = await context.clients.submitOnce(job, { ...request, timeoutMs: fullMs });
    context.note("answer", `${answer} ${JSON.stringify(context.clients.errors)}`);
    context.check(answer !== "ok", "200 tasks do not fit a full disk");
    context.note("readsWork", String(await canRead(context, before.job)));
    await broker.free();
    const healsAlone = await context
      .until("submits work again", healWithinMs, async () => {
        return (await context.clients.submitOnce(job, request)) === "ok";
      })
      .catch(() => false);
    context.note("healsAlone", String(healsAlone));
    if (!healsAlone) await farm.nats.kill();
    context.check(await context.clients.submit(job, request), "the retry is accepted");
    await Promise.all([held.ended, context.clients.watch(job)]);
  },
};

export const diskGroup: RowGroup<DiskGround> = {
  name: "disks",
  needs: ["mounts"],
  open: openGround,
  rows: [noRoomForPictures, noRoomForBroker],
};

async function openGround(): Promise<DiskGround> {
  const pictures = await mountSmallDisk(8);
  const broker = await mountSmallDisk(16);
  return {
    pictures,
    broker,
    farm: { workers: 4, natsStoreDir: broker.folder, blobsDir: pictures.folder },
    close: async () => {
      await pictures.unmount();
      await broker.unmount();
    },
  };
}

function countStarts({ farm }: RowContext): number {
  const all = [...farm.workers, ...farm.gateways, ...farm.schedulers];
  return all.reduce((sum, each) => sum + each.starts, 0);
}

async function canRead(context: RowContext, job: string): Promise<boolean> {
  const name = jobName({ project: defaultProject, job } as Parameters<typeof jobName>[0]);
  return await context.client.getJob(name, { timeoutMs: 5_000 }).then(
    () => true,
    () => false,
  );
}

/** Turns the messages of a followed log into what they say. */
import type { Followed } from "./broker.ts";

/** Messages that `read` gives nothing for are left out. */
export async function* mapFollowed<Message, Entry>(
  messages: AsyncIterable<Followed<Message>>,
  read: (message: Message) => Entry | readonly Entry[] | undefined,
): AsyncIterable<Followed<Entry>> {
  for await (const followed of messages) {
    if (followed.kind === "caught-up") {
      yield followed;
      continue;
    }
    const entries = followed.entries.flatMap((message) => read(message) ?? []);
    yield { kind: "entries", entries, unread: followed.unread };
  }
}

/** Turns the messages of a followed log into what they say. */
import type { Followed } from "./broker.ts";

/** Messages that `read` gives undefined for are left out. */
export async function* mapFollowed<Message, Entry>(
  messages: AsyncIterable<Followed<Message>>,
  read: (message: Message) => Entry | undefined,
): AsyncIterable<Followed<Entry>> {
  for await (const followed of messages) {
    if (followed.kind === "caught-up") {
      yield followed;
      continue;
    }
    const entries = followed.entries.map(read).filter((entry) => entry !== undefined);
    if (entries.length > 0) yield { kind: "entries", entries };
  }
}

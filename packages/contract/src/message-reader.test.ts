import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageReader } from "./message-reader.ts";

/** What both readers make of the same bytes. */
function readBoth(bytes: Uint8Array, read: (reader: BinaryReader) => unknown): unknown[] {
  return [new MessageReader(bytes), new BinaryReader(bytes)].map((reader) => {
    try {
      return read(reader);
    } catch (error) {
      return String(error);
    }
  });
}

test("texts are read as the library reads them, wherever they stand", () => {
  const texts = fc.array(fc.string({ unit: "binary", maxLength: 200 }), { maxLength: 5 });

  fc.assert(
    fc.property(texts, fc.nat(9), (written, offset) => {
      const writer = new BinaryWriter();
      for (const text of written) writer.string(text);
      const bytes = writer.finish();
      const within = new Uint8Array([...Array.from({ length: offset }, () => 65), ...bytes]);

      const [ours, theirs] = readBoth(within.subarray(offset), (reader) =>
        written.map(() => reader.string()),
      );

      expect(ours).toEqual(theirs);
    }),
  );
});

test("a byte order mark is a part of the text", () => {
  const [ours, theirs] = readBoth(new BinaryWriter().string("\uFEFFboat").finish(), (reader) =>
    reader.string(),
  );

  expect([ours, theirs]).toEqual(["\uFEFFboat", "\uFEFFboat"]);
});

test("bytes that are no message are refused as the library refuses them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const [ours, theirs] = readBoth(bytes, (reader) => reader.string());
      expect(ours).toEqual(theirs);
    }),
  );
});

/** Adapters of the stub engine in the object store, and what tasks say of them. */
import type { BlobStore } from "@zfarm/blobs";
import { type LoraRef, loraKey } from "@zfarm/contract";
import { createStubLora, type StubLoraText } from "./stub-lora.ts";

/** Puts an adapter where workers look for it, and gives the reference that a task would carry. */
export async function storeLora(
  blobs: Pick<BlobStore, "put">,
  text: StubLoraText,
): Promise<LoraRef> {
  const { digest, bytes } = createStubLora(text);
  await blobs.put(loraKey(digest), bytes, "application/octet-stream");
  return { digest, weight: 1, rank: 16, sizeBytes: BigInt(text.bytes ?? 0) };
}

/** The store, with some of its calls replaced. */
export function overrideBlobs(blobs: BlobStore, calls: Partial<BlobStore>): BlobStore {
  return new Proxy(blobs, {
    get: (target, name) => {
      if (Object.hasOwn(calls, name)) return Reflect.get(calls, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

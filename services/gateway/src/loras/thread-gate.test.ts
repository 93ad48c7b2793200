import { expect, test } from "vitest";
import { testArchitecture } from "../../test/test-farm.ts";
import { gateOf } from "./thread-gate.ts";

test("a file that takes more memory than its thread may have is refused", async () => {
  const gate = gateOf(new URL("../../test/greedy-gate-thread.ts", import.meta.url));

  await expect(gate("/file", testArchitecture, new AbortController().signal)).rejects.toMatchObject(
    {
      code: "LORA_REFUSED",
      message: "its header takes more than 256 MB to read",
    },
  );
}, 60_000);

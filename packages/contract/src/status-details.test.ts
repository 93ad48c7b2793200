import { describe, expect, test } from "vitest";
import { decodeStatusDetails, encodeStatusDetails, type StatusDetails } from "./status-details.ts";

const full: StatusDetails = {
  status: 3,
  message: "images[3].width is 65",
  reason: "INVALID_REQUEST",
  violations: [
    { field: "images[3].width", reason: "NOT_A_MULTIPLE", description: "65 is not" },
    { field: "parent", reason: "BAD_NAME", description: "looks like projects/{project}" },
  ],
  retryAfterMs: 1_250,
};

describe("status details", () => {
  test.each<StatusDetails>([
    full,
    { ...full, violations: [], retryAfterMs: undefined },
    { ...full, retryAfterMs: 0 },
    { ...full, message: "", status: 14 },
    {
      ...full,
      reason: "QUOTA_EXCEEDED",
      violations: [{ field: "projects/one", reason: "", description: "9 wait, 8 may" }],
    },
  ])("come back as they were sent (%#)", (details) => {
    expect(decodeStatusDetails(encodeStatusDetails(details))).toEqual(details);
  });

  test("use the bytes of google.rpc.Status, which any other client reads", () => {
    const bytes = encodeStatusDetails({ ...full, message: "m", violations: [], reason: "R" });

    const typeUrl = (name: string) => `type.googleapis.com/google.rpc.${name}`;
    const any = (name: string, value: number[]) => {
      const url = [...new TextEncoder().encode(typeUrl(name))];
      const body = [0x0a, url.length, ...url, 0x12, value.length, ...value];
      return [0x1a, body.length, ...body];
    };
    const info = [0x0a, 1, 0x52, 0x12, 5, ...new TextEncoder().encode("zfarm")];
    // 1.25 s: seconds 1, nanos 250,000,000 as a varint.
    const retry = [0x0a, 7, 0x08, 1, 0x10, 0x80, 0xe5, 0x9a, 0x77];
    const expected = [
      0x08,
      3,
      0x12,
      1,
      0x6d,
      ...any("ErrorInfo", info),
      ...any("RetryInfo", retry),
    ];
    expect([...bytes]).toEqual(expected);
  });

  test("are undefined where the bytes are not the farm's", () => {
    const whole = encodeStatusDetails(full);

    expect(decodeStatusDetails(new Uint8Array())).toBeUndefined();
    expect(decodeStatusDetails(whole.subarray(0, whole.length - 3))).toBeUndefined();
    expect(decodeStatusDetails(Buffer.from("not protobuf at all"))).toBeUndefined();
  });
});

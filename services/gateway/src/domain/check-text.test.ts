import { limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { checkDisplayName, checkPrompt } from "./check-text.ts";

const reasonOf = (text: string) => checkPrompt(text)?.reason;

describe("checkPrompt", () => {
  test.each([
    ["an emoji of several code points", "a family: \u{1F468}\u200D\u{1F469}\u200D\u{1F467}"],
    ["Arabic, written from right to left", "قطة حمراء على سقف"],
    ["Chinese", "雪山下的红色小屋"],
    ["many combining marks", `a${"\u0301".repeat(50)}`],
    ["a template of some other program", "{{7*7}} ${jndi:ldap://x} $(rm -rf /)"],
    ["what a database might misread", "'; DROP TABLE jobs; --"],
    ["tabs and newlines", "a house\n\tred\n\tsmall"],
    ["the longest text", "x".repeat(limits.promptCodePointsMax)],
    ["the longest text in letters of four bytes", "\u{1F431}".repeat(2_000)],
    ["letters that only NFC makes short enough", "e\u0301".repeat(2_000)],
    ["U+FDFA, which grows eighteenfold under NFKC", "\uFDFA".repeat(500)],
  ])("accepts %s", (_name, text) => {
    expect(checkPrompt(text)).toBeUndefined();
  });

  test.each([
    ["", "REQUIRED"],
    [" \t\n ", "BLANK"],
    ["   ", "BLANK"],
    ["\u200B".repeat(100), "BLANK"],
    ["\u00A0\u3000", "BLANK"],
    ["x".repeat(2_001), "TOO_LONG"],
    ["é".repeat(4_097), "TOO_LONG"],
    ["a\u0000b", "CONTROL_CHARACTER"],
    ["a\rb", "CONTROL_CHARACTER"],
    ["a\u007Fb", "CONTROL_CHARACTER"],
    ["a\u0085b", "CONTROL_CHARACTER"],
    ["a\u202Eb", "BIDI_CONTROL"],
    ["a\u2069b", "BIDI_CONTROL"],
    ["\uFEFFa", "BYTE_ORDER_MARK"],
    ["a\uFFFEb", "NONCHARACTER"],
    ["a\u{1FFFF}b", "NONCHARACTER"],
    ["a\u{E0041}b", "TAG_CHARACTER"],
    ["a\uFFFDb", "INVALID_UTF8"],
    ["a\uD800b", "INVALID_UTF8"],
  ])("refuses row %#", (text, reason) => {
    expect(reasonOf(text)).toBe(reason);
  });

  test("never repeats the text it refuses", () => {
    expect(checkPrompt("secret\u0000words")?.description).not.toContain("secret");
    expect(checkPrompt("secret".repeat(2_000))?.description).not.toContain("secret");
  });
});

describe("checkDisplayName", () => {
  test("may be empty and holds up to 128 characters on one line", () => {
    expect(checkDisplayName("")).toBeUndefined();
    expect(checkDisplayName("\u{1F431}".repeat(128))).toBeUndefined();
    expect(checkDisplayName("x".repeat(129))?.reason).toBe("TOO_LONG");
    expect(checkDisplayName("x".repeat(1_000_000))?.reason).toBe("TOO_LONG");
    expect(checkDisplayName("a\nb")?.reason).toBe("CONTROL_CHARACTER");
    expect(checkDisplayName("a\u2066b")?.reason).toBe("BIDI_CONTROL");
  });
});

/** Prompts that look dangerous or odd and are nobody's business but the model's. */
import { secret } from "./row.ts";

export interface PassRow {
  readonly name: string;
  readonly prompt: string;
}

export const passRows: readonly PassRow[] = [
  { name: "one letter", prompt: "x" },
  { name: "one emoji", prompt: "\u{1F431}" },
  { name: "an emoji of joined parts", prompt: "\u{1F468}\u200D\u{1F469}\u200D\u{1F467} at home" },
  { name: "a flag", prompt: "\u{1F1EA}\u{1F1FA} over a roof" },
  { name: "Arabic", prompt: "قطة حمراء على سقف" },
  { name: "Hebrew with a mark", prompt: "שלום\u200F עולם" },
  { name: "Chinese", prompt: "雪山下的红色小屋" },
  { name: "Japanese, half width", prompt: "ｱｶｲ ｲｴ" },
  { name: "Korean, decomposed", prompt: "한국".normalize("NFD") },
  { name: "Devanagari with joiners", prompt: "क्\u200Dष एक घर" },
  { name: "fifty combining marks", prompt: `a${"\u0301".repeat(50)}` },
  { name: "text that NFC would change", prompt: "Cafe\u0301 and \u212B" },
  { name: "a ligature that NFKC would blow up", prompt: "\uFDFA".repeat(500) },
  { name: "a template", prompt: "{{7*7}} ${7*7} <%= 7*7 %>" },
  { name: "a lookup", prompt: "${jndi:ldap://localhost/x}" },
  { name: "SQL", prompt: "'; DROP TABLE jobs; --" },
  { name: "a shell", prompt: "$(rm -rf /) `id` | cat && true" },
  { name: "a path", prompt: "../../etc/passwd" },
  { name: "markup", prompt: "<script>alert(1)</script>" },
  { name: "a subject", prompt: "queue.> * outcome.default" },
  { name: "a property", prompt: "__proto__ constructor" },
  { name: "several lines", prompt: "a house\n\tred\n\nsmall\n" },
  { name: "spaces around", prompt: "  a house  " },
  { name: "2,000 letters", prompt: secret + "x".repeat(2_000 - secret.length) },
  { name: "2,000 letters of four bytes", prompt: "\u{1F431}".repeat(2_000) },
];

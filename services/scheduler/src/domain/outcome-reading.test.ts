import { expect, test } from "vitest";
import { OutcomeReading } from "./outcome-reading.ts";

const away = Number.POSITIVE_INFINITY;

test("knows all outcomes where none is on its way", () => {
  const reading = new OutcomeReading();

  expect(reading.readTo(1_000)).toBe(1_000);
  reading.came(2_000, { count: 1, unread: 0 });
  expect(reading.readTo(5_000)).toBe(5_000);
});

test("knows those until it last had all, while others are on their way", () => {
  const reading = new OutcomeReading();
  reading.came(1_000, { count: 1, unread: 0 });

  reading.came(3_000, { count: 10, unread: 5 });

  expect(reading.readTo(4_000)).toBe(1_000);
});

test("moves on once all have come that were stored, though newer ones never end", () => {
  const reading = new OutcomeReading();
  reading.came(1_000, { count: 10, unread: 20 });

  reading.came(2_000, { count: 15, unread: 100 });
  expect(reading.readTo(2_500)).toBe(0);
  reading.came(3_000, { count: 5, unread: 100 });
  expect(reading.readTo(3_500)).toBe(1_000);
  reading.came(4_000, { count: 100, unread: 100 });
  expect(reading.readTo(4_500)).toBe(3_000);
  reading.came(5_000, { count: 100, unread: 0 });
  expect(reading.readTo(5_500)).toBe(5_500);
});

test("knows no more while the broker is away, and is told afterwards how many are left", () => {
  const reading = new OutcomeReading();
  reading.came(1_000, { count: 1, unread: 0 });

  reading.came(2_000, { count: 0, unread: away });
  expect(reading.readTo(9_000)).toBe(1_000);
  reading.came(9_000, { count: 0, unread: 3 });
  expect(reading.readTo(9_500)).toBe(1_000);
  reading.came(10_000, { count: 3, unread: 7 });
  expect(reading.readTo(10_500)).toBe(2_000);
});

test("takes messages that were removed for none to wait for", () => {
  const reading = new OutcomeReading();
  reading.came(1_000, { count: 1, unread: 50 });

  reading.came(2_000, { count: 10, unread: 2 });
  reading.came(3_000, { count: 2, unread: 4 });

  expect(reading.readTo(3_500)).toBe(1_000);
});

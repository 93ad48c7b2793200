/**
 * The protocols that keep a task from being lost or ended twice, searched in every order in which
 * their steps can happen. A model that keeps its promises proves little unless it also breaks
 * them when a rule is taken away, so every rule has its sabotage.
 */
import { describe, expect, test } from "vitest";
import { findChecker } from "./check-model.ts";

const models = {
  "lease-fence-outcome.pml": [
    "OVERWRITE_OUTCOME",
    "PUBLISH_BEFORE_UPLOAD",
    "REMOVE_AT_GRANT",
    "KEY_WITHOUT_FENCE",
    "REPEAT_IS_DEFEAT",
    "REMOVE_IN_DOUBT",
  ],
  "leader-queue.pml": [
    "REWRITE_WITHOUT_REVISION",
    "NO_LOOK_UP",
    "FOLLOW_FROM_NOW",
    "FORGET_ENDED",
    "END_BEFORE_OUTCOME",
  ],
  "submit.pml": [
    "ADMIT_FIRST",
    "ADMIT_WITHOUT_REVISION",
    "VOID_WITHOUT_REVISION",
    "CANCEL_BEFORE_VOID",
    "VOID_IS_REUSED",
  ],
} as const;

/** Fewer states mean that a model stopped short of what it is there for. */
const statesMin = 50_000;

const check = await findChecker();

describe.skipIf(check === undefined).each(Object.entries(models))("%s", (model, sabotages) => {
  test("keeps its promises in every state it can reach", async () => {
    const verdict = await check?.(model);

    expect(verdict?.violation).toBeUndefined();
    expect(verdict?.states).toBeGreaterThan(statesMin);
  });

  test.each(sabotages)("is caught with %s", async (sabotage) => {
    const verdict = await check?.(model, sabotage);

    expect(verdict?.violation).toMatch(/^assertion violated/);
  });
});

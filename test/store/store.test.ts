/** The object store that the chart brings passes what every store of the farm has to. */
import { defineS3StoreContract } from "@zfarm/testing";
import { describe } from "vitest";
import { helmAtHand } from "../chart/render-chart.ts";
import { hasStoreForTests, startStoreOfChart } from "./store-of-chart.ts";

const canRun = (await hasStoreForTests()) && helmAtHand !== undefined;

describe.runIf(canRun)("the object store of the chart", () => {
  defineS3StoreContract("s3 on the chart's store", () => startStoreOfChart());
});

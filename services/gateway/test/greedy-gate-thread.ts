/** A thread of the gate that takes twice the heap it may have, as a hostile header would. */
import { parentPort } from "node:worker_threads";
import { limits } from "@zfarm/contract";

const numbersPerMegabyte = 131_072;
const kept: number[][] = [];
while (kept.length < 2 * limits.loraGateHeapMegabytes) {
  kept.push(Array.from({ length: numbersPerMegabyte }, (_, at) => at + 0.5));
}
parentPort?.postMessage({ kind: "good", inspected: kept.length });

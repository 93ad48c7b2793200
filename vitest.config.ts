import { defineConfig } from "vitest/config";

/**
 * Time-outs guard against hangs and assert nothing: a slow machine that does other work as well
 * may need ten times what a test takes alone. Unless told, a poll would give up after a second.
 */
const guards = {
  expect: { poll: { timeout: 60_000 } },
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

/**
 * `unit` runs beside the sources; `system` spawns real servers and runs one file at a time;
 * `chaos` breaks a farm of real processes for two or three minutes (`npm run chaos` for longer);
 * `sim` plays the scheduler's core in virtual time, under faults;
 * `images` builds the images and runs a farm of containers (`npm run test:images`);
 * `k8s` runs on a real Kubernetes control plane with simulated nodes (`npm run test:k8s`);
 * `store` holds the object store that the chart brings to the contract (`npm run test:store`);
 * `model` checks the protocols of the farm with spin.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{packages,services,cli,tools}/**/*.test.ts",
            "test/*.test.ts",
            "test/{chart,metrics}/*.test.ts",
            "test/chaos/*/**/*.test.ts",
          ],
          ...guards,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          fileParallelism: false,
          ...guards,
        },
      },
      {
        test: {
          name: "chaos",
          include: ["test/chaos/*.test.ts"],
          fileParallelism: false,
          ...guards,
          testTimeout: 180_000,
        },
      },
      {
        test: {
          name: "sim",
          include: ["test/sim/*.test.ts"],
          fileParallelism: false,
          ...guards,
        },
      },
      {
        test: {
          name: "images",
          include: ["test/images/*.test.ts"],
          fileParallelism: false,
          ...guards,
          testTimeout: 180_000,
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          name: "k8s",
          include: ["test/k8s/**/*.test.ts"],
          fileParallelism: false,
          ...guards,
        },
      },
      {
        test: {
          name: "store",
          include: ["test/store/*.test.ts"],
          fileParallelism: false,
          ...guards,
        },
      },
      {
        test: {
          name: "model",
          include: ["test/model/*.test.ts"],
          ...guards,
        },
      },
    ],
  },
});

/** Types of derive-wrapper.mjs for its test. */
export declare function wrapperOf(pins: {
  readonly module: string;
  readonly version: string;
  readonly packages: readonly string[];
  readonly told: object;
}): string;

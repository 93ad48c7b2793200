/** Types of versions.mjs for its test. */
export declare function parseVersion(text: string): number[] | undefined;

export declare function compareVersions(a: readonly number[], b: readonly number[]): number;

export declare function isAtLeast(text: string, oldest: readonly number[]): boolean;

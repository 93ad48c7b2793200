/** A row of the fault matrix as data: what is done to which farm, and what it needs to be done. */
import type { FarmOptions } from "../farm/chaos-farm.ts";
import type { RowContext } from "./row-context.ts";

/** What not every machine offers. */
export type Need = "minio" | "namespaces" | "mounts" | "cgroups" | "faketime";

/** What a group's farm stands on, and what its rows reach for. */
export interface Ground {
  readonly farm: FarmOptions;
  /** After the farm has stopped. */
  readonly close?: () => Promise<void>;
}

export interface Row<Own extends Ground = Ground> {
  /** As in the fault matrix: a letter for who is hit, and a number. */
  readonly id: string;
  /** What is done, and what must hold. */
  readonly promise: string;
  readonly needs?: readonly Need[];
  /** Throws where the promise does not hold. */
  run(context: RowContext, ground: Own): Promise<void>;
}

/** Rows that share one farm, one after the other, and one judgement of its history. */
export interface RowGroup<Own extends Ground = Ground> {
  readonly name: string;
  readonly needs?: readonly Need[];
  open(seed: string): Promise<Own>;
  readonly rows: readonly Row<Own>[];
  /** Reasons of failed tasks that the rows bring about on purpose. */
  readonly toleratedFailures?: readonly string[];
}

export interface RowResult {
  readonly id: string;
  readonly promise: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly why: string;
  readonly durationMs: number;
  /** What was measured on the way. */
  readonly facts: Readonly<Record<string, number | string>>;
}

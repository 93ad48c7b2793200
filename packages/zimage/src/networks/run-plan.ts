/**
 * Decides which samples of a batch share a run of the transformer, such that sharing never changes
 * a bit of any result.
 */
import { runRanksMax } from "../graph/linear.ts";
import { hasProducts, type LoraStack, ranksOf } from "./lora-batch.ts";
import { padRows } from "./rope.ts";

/**
 * Whether one run takes the adapters of all these samples. One with Kronecker products runs alone:
 * beside others its sums would be cut up in another way.
 */
export function fitOneRun(stacks: readonly LoraStack[]): boolean {
  if (stacks.length < 2) return true;
  return !stacks.some(hasProducts) && ranksOf(stacks) <= runRanksMax;
}

/** What of a sample decides about its company. */
export interface Candidate {
  readonly caption: { readonly length: number };
  readonly stack: LoraStack;
}

export interface RunBounds {
  /** Of one sample, pads included. */
  readonly imageRows: number;
  /** Of all samples of one run, as memory allows; one sample alone may have more. */
  readonly rowsMax: number;
}

/**
 * Groups samples, given by their positions in `samples`. Captions of different padded lengths go
 * into different runs: masking the surplus rows would change the order in which a softmax is
 * summed, and a mask would cost the tiled attention kernel. On CPU a run of two takes as long as
 * two runs, so nothing is lost; most prompts fit into the same 32 or 64 rows anyway.
 */
export function planRuns(
  samples: readonly Candidate[],
  { imageRows, rowsMax }: RunBounds = { imageRows: 0, rowsMax: Number.POSITIVE_INFINITY },
): number[][] {
  const runs: {
    readonly rows: number;
    readonly members: number[];
    readonly stacks: LoraStack[];
  }[] = [];
  for (const [index, { caption, stack }] of samples.entries()) {
    const rows = padRows(caption.length);
    const run = runs.find(
      ({ members, stacks, ...candidate }) =>
        candidate.rows === rows &&
        fitOneRun([...stacks, stack]) &&
        (members.length + 1) * (imageRows + rows) <= rowsMax,
    );
    if (run === undefined) {
      runs.push({ rows, members: [index], stacks: [stack] });
    } else {
      run.members.push(index);
      run.stacks.push(stack);
    }
  }
  return runs.map(({ members }) => members);
}

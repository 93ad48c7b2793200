/**
 * Decides which samples of a batch share a run of the transformer, such that sharing never changes
 * a bit of any result.
 */
import { type LoraStack, ranksTaken } from "./lora-batch.ts";
import { padRows } from "./rope.ts";

/**
 * Ranks of one run, unless one picture alone has more. Up to here the second product of an update
 * is one block of the matrix library, summed rank by rank, where another sample's ranks add exact
 * zeros.
 */
export const runRanksMax = 128;

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
  const runs: { readonly rows: number; readonly members: number[]; ranks: Map<string, number> }[] =
    [];
  for (const [index, { caption, stack }] of samples.entries()) {
    const rows = padRows(caption.length);
    const own = new Map(stack.map(({ adapter }) => [adapter.id, ranksTaken(adapter)]));
    const run = runs.find(
      ({ members, ranks, ...candidate }) =>
        candidate.rows === rows &&
        total(union(ranks, own)) <= runRanksMax &&
        (members.length + 1) * (imageRows + rows) <= rowsMax,
    );
    if (run === undefined) {
      runs.push({ rows, members: [index], ranks: own });
    } else {
      run.members.push(index);
      run.ranks = union(run.ranks, own);
    }
  }
  return runs.map(({ members }) => members);
}

function union(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>) {
  return new Map([...left, ...right]);
}

function total(ranks: ReadonlyMap<string, number>): number {
  return [...ranks.values()].reduce((sum, rank) => sum + rank, 0);
}

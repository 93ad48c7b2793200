/**
 * Shares the devices between pools: each gets its minimum, then they are filled like water, the
 * one with the least for its weight first. What a pool still has to give up is not there to give.
 */

export interface BudgetClaim {
  /** Workers wanted, and how many of them come before anybody's share. */
  readonly desired: number;
  readonly min: number;
  /** Workers asked for now, those that go included. */
  readonly target: number;
  readonly gpusPerWorker: number;
  readonly weight: number;
}

interface Share {
  readonly claim: BudgetClaim;
  given: number;
  /** What it would have if nobody held any device yet. */
  fair: number;
}

/** Workers for each claim, in the order of the claims; none gets more than it wants. */
export function shareBudget(claims: readonly BudgetClaim[], gpus: number): number[] {
  const shares = claims.map((claim) => ({ claim, given: 0, fair: 0 }));
  const free = fill(shares, gpus, ({ claim }) => Math.min(claim.min, claim.desired));
  fill(shares, free, ({ claim }) => claim.desired);
  for (const share of shares) {
    share.fair = share.given;
    // Those that go still have their devices, so others grow only into what nobody has.
    share.given = Math.min(share.fair, share.claim.target);
  }
  const held = claims.reduce((sum, { target, gpusPerWorker }) => sum + target * gpusPerWorker, 0);
  fill(shares, gpus - held, ({ fair }) => fair);
  return shares.map(({ given }) => given);
}

/** Fills one worker at a time up to what each may have; gives the devices that are left. */
function fill(shares: readonly Share[], gpus: number, limitOf: (share: Share) => number) {
  let free = gpus;
  for (;;) {
    let next: Share | undefined;
    for (const share of shares) {
      const isOpen = share.given < limitOf(share) && share.claim.gpusPerWorker <= free;
      if (isOpen && (next === undefined || filled(share) < filled(next))) next = share;
    }
    if (next === undefined) return free;
    next.given += 1;
    free -= next.claim.gpusPerWorker;
  }
}

function filled({ given, claim }: Share): number {
  return (given * claim.gpusPerWorker) / claim.weight;
}

/** Expressions that several boards use. */

/** What every selector begins with. */
export const here = 'namespace=~"$namespace"';
export const inPool = `${here}, pool=~"$pool"`;

/** A counter's increase a second, summed by labels. */
export function rateBy(labels: string, metric: string, selector: string = here): string {
  const by = labels === "" ? "" : ` by (${labels})`;
  return `sum${by} (rate(${metric}{${selector}}[$__rate_interval]))`;
}

/**
 * A quantile of a histogram, over the interval that Grafana shows. Where nothing happened it is no
 * number, which no comparison lets through.
 */
export function quantileBy(
  quantile: number,
  histogram: string,
  { labels = "", selector = here }: { readonly labels?: string; readonly selector?: string } = {},
): string {
  const by = labels === "" ? "le" : `le, ${labels}`;
  return `histogram_quantile(${quantile}, ${rateBy(by, `${histogram}_bucket`, selector)}) >= 0`;
}

/** A mean of a histogram, where anything happened. */
export function meanBy(labels: string, histogram: string, selector: string = here): string {
  const [sum, count] = ["sum", "count"].map((part) =>
    rateBy(labels, `${histogram}_${part}`, selector),
  );
  return `${sum} / (${count} > 0)`;
}

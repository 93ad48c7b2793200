/** Amounts as a person reads them, in as few characters as say enough. */

/** For example "4 s", "12 min", "3 h", "5 d". */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7_200) return `${Math.round(whole / 60)} min`;
  if (whole < 172_800) return `${Math.round(whole / 3_600)} h`;
  return `${Math.round(whole / 86_400)} d`;
}

/** For example "512 MiB", "31.2 GiB". */
export function bytesText(bytes: bigint | number): string {
  const mebibytes = Number(bytes) / 2 ** 20;
  return mebibytes < 1_024
    ? `${Math.round(mebibytes)} MiB`
    : `${(mebibytes / 1_024).toFixed(1)} GiB`;
}

/** For example "33 %". */
export function percentText(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The time since then, or "-". */
export function ageText(time: Date | undefined, nowMs: number): string {
  return time === undefined ? "-" : spanText((nowMs - time.getTime()) / 1_000);
}

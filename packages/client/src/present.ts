/** What an answer must hold. */
import { FarmError } from "@zfarm/contract";

export function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new FarmError("INTERNAL", "the farm's answer is empty");
  return value;
}

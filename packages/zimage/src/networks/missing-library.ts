/** The library that the system's loader says in its message that it did not find. */
export function missingIn(message: string): string | undefined {
  return /([\w.+-]+\.so[\w.]*): cannot open shared object file/.exec(message)?.[1];
}

/** The one kind of failure in this folder: a server binary could not be had, and why, in words. */
export class ServerBinaryError extends Error {
  name = "ServerBinaryError";
}

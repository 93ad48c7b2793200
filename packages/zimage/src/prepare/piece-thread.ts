/** The thread that makes pieces: one at a time, as they are sent to it. */
import { parentPort } from "node:worker_threads";
import { ModelError } from "../errors.ts";
import { makePiece, OpenFiles, type Piece } from "./piece.ts";

/** What a thread says of the piece it was given. */
export type PieceAnswer =
  | { readonly kind: "done"; readonly index: number; readonly sha256: string }
  | {
      readonly kind: "refused";
      readonly message: string;
      readonly file: string | undefined;
      readonly field: string | undefined;
    };

const files = new OpenFiles();

/** A model at fault is an answer; anything else ends the thread, and its owner hears of that. */
function answer(piece: Piece): PieceAnswer {
  try {
    return { kind: "done", index: piece.index, sha256: makePiece(piece, files) };
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return { kind: "refused", message: error.message, file: error.file, field: error.field };
  }
}

parentPort?.on("message", (piece: Piece) => parentPort?.postMessage(answer(piece)));

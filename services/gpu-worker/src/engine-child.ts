/** One engine process: forked, listened to, killed. Knows nothing of tasks. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { withLargePages } from "@zfarm/runtime";
import type { EngineCommand, EngineEvent, EngineSettings } from "./engine/protocol.ts";

export interface EngineChildOptions {
  /** The program; absent: the engine over @zfarm/zimage. Tests run the engine over a stub model. */
  readonly entry?: URL;
  readonly settings: EngineSettings;
  readonly onEvent: (event: EngineEvent) => void;
  /** Called once, after the last event. */
  readonly onExit: (exit: EngineExit) => void;
}

export interface EngineExit {
  /** In words. */
  readonly how: string;
  /** Somebody ended it by SIGKILL, against which a process can do nothing. */
  readonly isKilled: boolean;
}

export interface EngineChild {
  readonly pid: number | undefined;
  send(command: EngineCommand): void;
  /** Ends it at once, in the middle of a run if need be: runs cannot be interrupted otherwise. */
  kill(): void;
}

const engineEntry = new URL("./engine/main.ts", import.meta.url);

export function startEngineChild(options: EngineChildOptions): EngineChild {
  const entry = fileURLToPath(options.entry ?? engineEntry);
  const child = fork(entry, [JSON.stringify(options.settings)], {
    serialization: "advanced",
    env: withLargePages(),
    // Flags of this process, such as an inspector port, are not for the child.
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.on("message", (message) => options.onEvent(message as EngineEvent));
  onceEnded(child, options.onExit);
  return {
    pid: child.pid,
    send: (command) => {
      // A child that is gone is announced by onExit; what was meant for it is answered there.
      if (child.connected) child.send(command, () => {});
    },
    kill: () => {
      child.kill("SIGKILL");
    },
  };
}

/** "close" follows the last message; "error" alone means that the process never began. */
function onceEnded(child: ChildProcess, onExit: (exit: EngineExit) => void): void {
  let ended = false;
  const end = (how: string, isKilled = false): void => {
    if (ended) return;
    ended = true;
    onExit({ how, isKilled });
  };
  child.once("error", (error) => {
    if (child.pid === undefined) end(`could not be started: ${error.message}`);
  });
  child.once("close", (code, signal) => {
    if (signal !== null) end(`was ended by ${signal}`, signal === "SIGKILL");
    else end(`exited with code ${code ?? "unknown"}`);
  });
}

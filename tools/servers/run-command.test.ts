/** A command ends: by itself, at its bound, or before it began; a failure says which. */
import { describe, expect, test } from "vitest";
import { runCommand } from "./run-command.mjs";

describe("a command", () => {
  const shell = (script: string, limitMs = 20_000) =>
    runCommand("/bin/sh", ["-c", script], { limitMs });

  test("is killed past its bound", async () => {
    const failure = await shell("echo $$ >&2; exec /bin/sleep 60", 2_000).catch(messageOf);

    expect(failure).toMatch(/^\/bin\/sh: killed, because it took longer than 2000 ms: \d+$/);
    expect(() => process.kill(lastNumber(failure), 0)).toThrow("ESRCH");
  });

  test("does not outlast its bound through a child that holds its output", async () => {
    const failure = await shell("/bin/sleep 60 & echo $! >&2; wait", 2_000).catch(messageOf);

    expect(failure).toMatch(/took longer than 2000 ms: \d+$/);
    process.kill(lastNumber(failure), "SIGKILL");
  });

  test("fails with its exit code and the end of what it complained", async () => {
    const failing = shell("echo useless; echo no space left >&2; exit 3");

    await expect(failing).rejects.toMatchObject({
      name: "ServerBinaryError",
      message: "/bin/sh: exit code 3: no space left",
    });
  });

  test("that does not exist is named", async () => {
    const failing = runCommand("no-such-command", [], { limitMs: 20_000 });

    await expect(failing).rejects.toMatchObject({
      name: "ServerBinaryError",
      message: "no-such-command: could not be started (ENOENT)",
    });
  });

  test("that reads its input finds none", async () => {
    expect(await shell("read line || echo nothing")).toBe("nothing\n");
  });
});

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const lastNumber = (text: string) => Number(/(\d+)$/.exec(text)?.[1]);

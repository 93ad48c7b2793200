/** A NATS server and the exporter that the official chart runs beside it, told the same. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { findFreePort } from "@zfarm/runtime";
import { type NatsServer, startNatsServer } from "@zfarm/testing";
import { waitUntil } from "../../chaos/farm/wait-until.ts";

const readyWithinMs = 20_000;

export class WatchedBroker {
  /** Where its metrics are: host:port. */
  readonly address: string;
  readonly #server: NatsServer;
  readonly #exporter: ChildProcess;

  private constructor(address: string, server: NatsServer, exporter: ChildProcess) {
    this.address = address;
    this.#server = server;
    this.#exporter = exporter;
  }

  static async start(binary: string): Promise<WatchedBroker> {
    const [monitor, port] = [await findFreePort(), await findFreePort()];
    const server = await startNatsServer({ config: `http: "127.0.0.1:${monitor}"\n` });
    const told = ["-connz", "-routez", "-subz", "-varz", "-prefix=nats", "-use_internal_server_id"];
    const args = [...told, "-jsz=all", "-addr=127.0.0.1", `-port=${port}`];
    const exporter = spawn(binary, [...args, `http://127.0.0.1:${monitor}/`], { stdio: "ignore" });
    const address = `127.0.0.1:${port}`;
    await waitUntil("the exporter tells of its server", readyWithinMs, async () => {
      const answer = await fetch(`http://${address}/metrics`).catch(() => undefined);
      return (await answer?.text())?.includes("nats_varz_") === true;
    });
    return new WatchedBroker(address, server, exporter);
  }

  async stop(): Promise<void> {
    const exited = once(this.#exporter, "exit");
    this.#exporter.kill("SIGTERM");
    await exited;
    await this.#server.stop();
  }
}

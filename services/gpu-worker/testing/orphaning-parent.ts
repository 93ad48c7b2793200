/** A process that starts an engine, prints its process id and waits to be killed, for one test. */
import { createEngine, stubEngine } from "./engine-harness.ts";

const engine = createEngine(stubEngine);
const stopping = new AbortController();
await engine.start(stopping.signal);
process.stdout.write(`${engine.pid}\n`);
await engine.run(stopping.signal);

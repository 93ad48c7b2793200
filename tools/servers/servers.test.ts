/**
 * What the finders of server binaries promise, on a machine made of shell scripts: PATH holds only
 * what a test puts there, and the cache is a temporary one.
 */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { openScriptMachine, type ScriptMachine } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { canBuildMinio, findMinio } from "./minio.mjs";
import { findNatsServer } from "./nats-server.mjs";

const minioDate = "2026-02-12T20-18-48Z";

let scripts: ScriptMachine;
let machine: string;
let lines: string[];
const log = (line: string) => lines.push(line);

beforeEach(async () => {
  scripts = await openScriptMachine(["NATS_SERVER_BIN", "MINIO_BIN"]);
  machine = scripts.folder;
  lines = [];
});

afterEach(() => scripts.remove());

const putScript = (path: string, body: string) => scripts.putScript(path, body);

const putNats = (path: string, version: string) =>
  putScript(path, `echo "nats-server: v${version}"`);

const putMinio = (path: string, date: string) =>
  putScript(path, `echo "minio version DEVELOPMENT.${date} (commit-id=0)"`);

/** A `go` that says its version, and does `install` for everything else. */
const putGo = (version: string, install: string) =>
  putScript("bin/go", `if [ "$1" = env ]; then echo go${version}; exit 0; fi\n${install}`);

/** A shell script line that writes a server which prints `text`, as `go install` would. */
const installing = (text: string, file = "$GOBIN/nats-server") =>
  `printf '#!/bin/sh\\necho "${text}"\\n' > "${file}"`;

/** Everything in the cache, folders of unfinished installs included. */
const listCache = () => readdir(join(machine, "cache/zfarm/bin"));

const cached = (file: string) => `cache/zfarm/bin/${file}`;

describe("a binary named by its variable", () => {
  test.each([
    { variable: "NATS_SERVER_BIN", title: "nats-server", find: findNatsServer },
    { variable: "MINIO_BIN", title: "MinIO server", find: findMinio },
  ])("is refused in words when it does not work: $variable", async ({ variable, title, find }) => {
    await putNats("bin/nats-server", "2.14.9");
    await putMinio("bin/minio", minioDate);
    const broken = await putScript("broken", "exit 1");
    vi.stubEnv(variable, broken);

    expect(await find({ fetch: true, log })).toBeUndefined();

    expect(lines).toEqual([`${variable} names no working ${title}: ${broken}`]);
  });

  test("goes before every other, whatever its version", async () => {
    await putNats("bin/nats-server", "2.14.9");
    const path = await putNats("mine/nats", "2.3.4");
    vi.stubEnv("NATS_SERVER_BIN", path);

    expect(await findNatsServer({ log })).toEqual({
      path,
      version: "2.3.4",
      source: "NATS_SERVER_BIN",
    });
  });
});

describe("a nats-server that is there", () => {
  test("is taken from PATH before the cache", async () => {
    const path = await putNats("bin/nats-server", "2.10.0");
    await putNats(cached("nats-server-2.14.9"), "2.14.9");

    expect(await findNatsServer()).toEqual({ path, version: "2.10.0", source: "PATH" });
  });

  test("is passed over on PATH when it is too old", async () => {
    await putNats("bin/nats-server", "2.9.10");
    const path = await putNats(cached("nats-server-2.12.15"), "2.12.15");

    expect(await findNatsServer()).toEqual({ path, version: "2.12.15", source: "cache" });
  });

  test("is the newest of the cache, by number and not by name", async () => {
    await putNats(cached("nats-server-2.10.4"), "2.10.4");
    await putNats(cached("nats-server-2.12.15"), "2.12.15");
    await putNats(cached("nats-server-2.12.9"), "2.12.9");
    await putNats(cached("nats-server-2.99.0.part"), "2.99.0");

    expect(await findNatsServer()).toMatchObject({ version: "2.12.15" });
  });

  test("is the next of the cache where the newest does not run", async () => {
    await putScript(cached("nats-server-2.14.9"), "exit 1");
    await putNats(cached("nats-server-2.12.15"), "2.12.15");

    expect(await findNatsServer()).toMatchObject({ version: "2.12.15" });
  });

  test("is old only as a last resort, and that is said", async () => {
    await putNats(cached("nats-server-2.8.0"), "2.8.0");
    await putNats(cached("nats-server-2.9.10"), "2.9.10");

    expect(await findNatsServer({ log })).toMatchObject({ version: "2.9.10" });

    expect(lines).toEqual(["nats-server 2.9.10 is older than 2.10: for tries only"]);
  });

  test("is not fetched unless asked", async () => {
    await putGo("1.26.0", installing("nats-server: v2.14.9"));

    expect(await findNatsServer({ log })).toBeUndefined();
    expect(lines).toEqual([]);
  });
});

describe("installing nats-server", () => {
  test("leaves the binary in the cache and nothing else", async () => {
    await putGo("1.26.0", installing("nats-server: v2.14.9"));

    const found = await findNatsServer({ fetch: true });

    const path = join(machine, cached("nats-server-2.14.9"));
    expect(found).toEqual({ path, version: "2.14.9", source: "Go module v2.14.9" });
    expect(await listCache()).toEqual(["nats-server-2.14.9"]);
    expect(await findNatsServer()).toEqual({ path, version: "2.14.9", source: "cache" });
  });

  test.each([
    { go: "1.26.1", release: "v2.14.9" },
    { go: "1.25.0", release: "v2.12.15" },
  ])("takes the release that Go $go can build", async ({ go, release }) => {
    await putGo(go, `echo "$2" >&2; exit 1`);

    await findNatsServer({ fetch: true, log });

    expect(lines.at(-1)).toMatch(`github.com/nats-io/nats-server/v2@${release}`);
  });

  test("does not try a Go that is too old", async () => {
    await putGo("1.24.9", installing("nats-server: v2.14.9"));

    expect(await findNatsServer({ fetch: true, log })).toBeUndefined();
    expect(lines).toEqual(["Go 1.24.9 is too old for nats-server"]);
  });

  test("takes Debian's package where there is no Go", async () => {
    await putScript("bin/apt-get", 'case "$*" in *download*) : > nats-server_2.deb ;; esac');
    const write = installing("nats-server: v2.11.3", "$3/usr/sbin/nats-server");
    const unpack = `/bin/mkdir -p "$3/usr/sbin"; ${write}; /bin/chmod 755 "$3"/usr/sbin/*`;
    await putScript("bin/dpkg", `if [ "$1" = -x ]; then ${unpack}; fi`);

    const found = await findNatsServer({ fetch: true, log });

    const path = join(machine, cached("nats-server-2.11.3"));
    expect(found).toEqual({ path, version: "2.11.3", source: "Debian package" });
    expect(lines).toEqual(["no Go here", "fetching Debian's nats-server package (once)"]);
    expect(await listCache()).toEqual(["nats-server-2.11.3"]);
  });

  test("leaves nothing behind when it fails halfway", async () => {
    const half = installing("nats-server: v2.14.9");
    await putGo("1.26.0", `${half}; echo disk full >&2; exit 1`);

    expect(await findNatsServer({ fetch: true, log })).toBeUndefined();

    expect(lines.at(-1)).toBe("nats-server from Go module v2.14.9: go: exit code 1: disk full");
    expect(await listCache()).toEqual([]);
  });

  test("does not keep a binary that does not run", async () => {
    await putGo("1.26.0", `echo garbage > "$GOBIN/nats-server"`);

    expect(await findNatsServer({ fetch: true, log })).toBeUndefined();

    expect(lines.at(-1)).toMatch("the binary does not run here");
    expect(await listCache()).toEqual([]);
  });

  test("by several at once leaves one whole file, and never shows half of one", async () => {
    const fill = 'i=0; while [ $i -lt 3000 ]; do echo "# filler"; i=$((i+1)); done';
    const end = `echo 'echo "nats-server: v2.14.9"'`;
    await putGo("1.26.0", `{ echo "#!/bin/sh"; ${fill}; ${end}; } > "$GOBIN/nats-server"`);
    const path = join(machine, cached("nats-server-2.14.9"));

    const installs = Promise.all([1, 2, 3, 4].map(() => findNatsServer({ fetch: true })));
    const seen = await readUntil(installs, path);

    const whole = `#!/bin/sh\n${"# filler\n".repeat(3000)}echo "nats-server: v2.14.9"\n`;
    expect((await installs).map((found) => found?.path)).toEqual([path, path, path, path]);
    expect(await listCache()).toEqual(["nats-server-2.14.9"]);
    expect([...seen, await readFile(path, "utf8")].every((text) => text === whole)).toBe(true);
  });
});

describe("MinIO", () => {
  test("is taken from PATH whatever its version, else the pinned one from the cache", async () => {
    await putMinio(cached("minio-2027-01-01T00-00-00Z"), "2027-01-01T00-00-00Z");
    const pinned = await putMinio(cached(`minio-${minioDate}`), minioDate);
    expect(await findMinio()).toEqual({ path: pinned, version: minioDate, source: "cache" });

    const path = await putMinio("bin/minio", "2024-01-01T00-00-00Z");
    expect(await findMinio()).toEqual({ path, version: "2024-01-01T00-00-00Z", source: "PATH" });
  });

  test("is built at low priority, in the folder that Go downloaded", async () => {
    const sources = join(machine, "sources");
    await mkdir(sources);
    await putScript("bin/nice", 'echo "$*" > used-nice; shift 2; exec "$@"');
    const write = installing(`minio version DEVELOPMENT.${minioDate} (commit-id=0)`, "$6");
    await putGo("1.24.0", `[ "$1" = mod ] && echo '{"Dir":"${sources}"}' || ${write}`);

    const found = await findMinio({ fetch: true, log });

    const path = join(machine, cached(`minio-${minioDate}`));
    expect(found).toEqual({ path, version: minioDate, source: "its Go module" });
    expect(await listCache()).toEqual([`minio-${minioDate}`]);
    expect(await readFile(join(sources, "used-nice"), "utf8")).toMatch(/^-n 10 go build /);
  });

  test("is not built where Go names no folder with the sources", async () => {
    await putGo("1.24.0", "echo '{}'");

    expect(await findMinio({ fetch: true, log })).toBeUndefined();

    expect(lines.at(-1)).toMatch("go mod download named no folder with the sources");
    expect(await listCache()).toEqual([]);
  });

  test("can be built with Go 1.24 and not with less", async () => {
    expect(await canBuildMinio()).toBe(false);
    await putGo("1.23.9", "exit 1");
    expect(await canBuildMinio()).toBe(false);
    await putGo("1.24.0", "exit 1");
    expect(await canBuildMinio()).toBe(true);
  });
});

/** Every content that a file showed, from when it first was there until `work` ended. */
async function readUntil(work: Promise<unknown>, path: string): Promise<Set<string>> {
  const seen = new Set<string>();
  let ended = false;
  const ending = work.finally(() => {
    ended = true;
  });
  while (!ended) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) seen.add(text);
    await setImmediate();
  }
  await ending;
  return seen;
}

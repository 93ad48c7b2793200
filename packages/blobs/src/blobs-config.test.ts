import { ConfigError, type Env, EnvReader, Secret } from "@zfarm/runtime";
import { expect, test } from "vitest";
import { readBlobsConfig } from "./blobs-config.ts";

const keys = { S3_ACCESS_KEY: "key", S3_SECRET_KEY: "hunter2" };

function read(env: Env) {
  const reader = new EnvReader(env);
  const config = readBlobsConfig(reader);
  reader.finish();
  return config;
}

function problemsOf(env: Env): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("an endpoint and its keys make an S3 store, the rest has defaults", () => {
  expect(read({ S3_ENDPOINT: "http://minio:9000", ...keys })).toEqual({
    kind: "s3",
    endpoint: "http://minio:9000",
    publicEndpoint: undefined,
    bucket: "zfarm",
    region: "us-east-1",
    accessKey: new Secret("key"),
    secretKey: new Secret("hunter2"),
  });
});

test("everything about an S3 store can be set", () => {
  const env = {
    S3_ENDPOINT: "https://s3.internal/",
    S3_PUBLIC_ENDPOINT: "https://pictures.example.org",
    S3_BUCKET: "my-bucket",
    S3_REGION: "eu-1",
    ...keys,
  };

  expect(read(env)).toMatchObject({
    endpoint: "https://s3.internal",
    publicEndpoint: "https://pictures.example.org",
    bucket: "my-bucket",
    region: "eu-1",
  });
});

test("a folder makes a directory store", () => {
  expect(read({ BLOBS_DIR: "/data/blobs" })).toEqual({ kind: "directory", root: "/data/blobs" });
});

test.each([
  [{}, "neither S3_ENDPOINT nor BLOBS_DIR is set; set one"],
  [{ S3_ENDPOINT: "http://h", BLOBS_DIR: "/d", ...keys }, "S3_ENDPOINT and BLOBS_DIR are both set"],
  [{ S3_ENDPOINT: "minio:9000", ...keys }, "S3_ENDPOINT must be a URL"],
  [{ S3_ENDPOINT: "http://h/path", ...keys }, "S3_ENDPOINT must be http(s)://host[:port]"],
  [{ S3_ENDPOINT: "http://h", ...keys, S3_BUCKET: "My_Bucket" }, "S3_BUCKET must be 3 to 63"],
  [{ S3_ENDPOINT: "http://h", S3_ACCESS_KEY: "key" }, "S3_SECRET_KEY (or S3_SECRET_KEY_FILE)"],
])("%j is refused", (env: Env, problem) => {
  const problems = problemsOf(env);

  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test("no problem shows a key or credentials that stand in the endpoint", () => {
  const env = { S3_ENDPOINT: "http://me:hunter2@h", S3_BUCKET: "X", S3_SECRET_KEY: "hunter2" };

  expect(problemsOf(env)).toHaveLength(3);
  expect(problemsOf(env).join()).not.toContain("hunter2");
});

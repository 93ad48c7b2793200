/** Which object store a process uses, and how it reaches it. */
import type { EnvReader, Secret } from "@zfarm/runtime";

export interface S3BlobsConfig {
  readonly kind: "s3";
  readonly endpoint: string;
  readonly publicEndpoint: string | undefined;
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: Secret;
  readonly secretKey: Secret;
}

export interface DirectoryBlobsConfig {
  readonly kind: "directory";
  readonly root: string;
}

export type BlobsConfig = S3BlobsConfig | DirectoryBlobsConfig;

/**
 * S3_ENDPOINT, S3_BUCKET (zfarm), S3_REGION (us-east-1), S3_ACCESS_KEY and S3_SECRET_KEY (each also
 * as _FILE), S3_PUBLIC_ENDPOINT (S3_ENDPOINT); or BLOBS_DIR. Problems go to the reader.
 */
export function readBlobsConfig(reader: EnvReader): BlobsConfig {
  const [s3, directory] = [reader.has("S3_ENDPOINT"), reader.has("BLOBS_DIR")];
  if (s3 && directory) reader.problem("S3_ENDPOINT and BLOBS_DIR are both set; keep one");
  if (!s3 && !directory) reader.problem("neither S3_ENDPOINT nor BLOBS_DIR is set; set one");
  return s3 ? readS3Config(reader) : { kind: "directory", root: readRoot(reader) };
}

function readRoot(reader: EnvReader): string {
  return reader.optionalText("BLOBS_DIR") ?? "";
}

function readS3Config(reader: EnvReader): S3BlobsConfig {
  const endpoint = readEndpoint(reader, "S3_ENDPOINT") ?? "";
  return {
    kind: "s3",
    endpoint,
    publicEndpoint: readEndpoint(reader, "S3_PUBLIC_ENDPOINT"),
    bucket: reader.text("S3_BUCKET", {
      default: "zfarm",
      pattern: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
      rule: "3 to 63 of a-z 0-9 -, no hyphen at the ends",
    }),
    region: reader.text("S3_REGION", { default: "us-east-1" }),
    accessKey: reader.secret("S3_ACCESS_KEY"),
    secretKey: reader.secret("S3_SECRET_KEY"),
  };
}

/** Scheme, host and port only: credentials have variables of their own, and buckets no path. */
function readEndpoint(reader: EnvReader, name: string): string | undefined {
  if (!reader.has(name)) return undefined;
  const text = reader.url(name, { schemes: ["http", "https"] });
  const url = URL.parse(text);
  // The reader has noted these two already.
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  const isBare = url.pathname === "/" && url.search === "" && url.hash === "";
  if (!isBare || url.username !== "" || url.password !== "") {
    reader.problem(`${name} must be http(s)://host[:port] with nothing before or behind the host`);
  }
  return url.origin;
}

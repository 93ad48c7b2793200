/** Signs certificates for tests: as little of X.509 (RFC 5280) as both ends of TLS ask for. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateSubject {
  readonly commonName: string;
  /** Names and IPv4 addresses that it serves. */
  readonly hosts?: readonly string[];
}

const tag = { boolean: 1, integer: 2, bits: 3, octets: 4, oid: 6, utf8: 12, time: 23, list: 48 };
const set = 49;
const context = { version: 0xa0, extensions: 0xa3, name: 0x82, address: 0x87 };
const oid = {
  ecdsaWithSha256: "06082a8648ce3d040302",
  commonName: "0603550403",
  basicConstraints: "0603551d13",
  extendedKeyUsage: "0603551d25",
  alternativeNames: "0603551d11",
  serverAuth: "06082b06010505070301",
  clientAuth: "06082b06010505070302",
};
const dayMs = 24 * 60 * 60 * 1_000;

export class CertificateAuthority {
  /** PEM, of its own certificate. */
  readonly certificate: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(commonName: string) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = commonName;
    this.#key = privateKey;
    const isAuthority = der(tag.list, der(tag.boolean, Buffer.of(0xff)));
    const extensions = [extension(oid.basicConstraints, isAuthority)];
    this.certificate = this.#sign({ commonName, publicKey, extensions });
  }

  /** For both ends of a connection. */
  issue({ commonName, hosts = [] }: CertificateSubject): IssuedCertificate {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const usages = der(tag.list, known(oid.serverAuth), known(oid.clientAuth));
    const extensions = [extension(oid.extendedKeyUsage, usages)];
    const names = der(tag.list, ...hosts.map(hostName));
    if (hosts.length > 0) extensions.push(extension(oid.alternativeNames, names));
    return {
      certificate: this.#sign({ commonName, publicKey, extensions }),
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  #sign(subject: { commonName: string; publicKey: KeyObject; extensions: Buffer[] }): string {
    const algorithm = der(tag.list, known(oid.ecdsaWithSha256));
    const signed = der(
      tag.list,
      der(context.version, der(tag.integer, Buffer.of(2))),
      // Positive and not shortened: the first byte is neither 0 nor above 127.
      der(tag.integer, Buffer.of(1), randomBytes(8)),
      algorithm,
      nameOf(this.#name),
      der(tag.list, time(Date.now() - dayMs), time(Date.now() + dayMs)),
      nameOf(subject.commonName),
      subject.publicKey.export({ type: "spki", format: "der" }),
      der(context.extensions, der(tag.list, ...subject.extensions)),
    );
    const signature = sign("sha256", signed, this.#key);
    const whole = der(tag.list, signed, algorithm, der(tag.bits, Buffer.of(0), signature));
    const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }
}

function der(type: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(type, ...lengthOf(content)), content]);
}

/** In as few bytes as it takes, which some readers insist on. */
function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

const known = (encoded: string): Buffer => Buffer.from(encoded, "hex");

function extension(name: string, value: Buffer): Buffer {
  return der(tag.list, known(name), der(tag.octets, value));
}

function nameOf(commonName: string): Buffer {
  const part = der(tag.list, known(oid.commonName), der(tag.utf8, Buffer.from(commonName)));
  return der(tag.list, der(set, part));
}

/** As UTC with two digits of the year. */
function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(tag.time, Buffer.from(digits.slice(2)));
}

function hostName(host: string): Buffer {
  const isAddress = /^[\d.]+$/.test(host);
  if (!isAddress) return der(context.name, Buffer.from(host));
  return der(context.address, Buffer.from(host.split(".").map(Number)));
}

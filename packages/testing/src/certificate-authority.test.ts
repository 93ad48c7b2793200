import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { CertificateAuthority } from "./certificate-authority.ts";

const hosts = ["scaler.farm", "127.0.0.1"];

test("certificates say whose they are and whom they serve", () => {
  const authority = new CertificateAuthority("zfarm-test");
  const { certificate } = authority.issue({ commonName: "scaler", hosts });

  const read = new X509Certificate(certificate);

  expect(read.subject).toBe("CN=scaler");
  expect(read.subjectAltName).toBe("DNS:scaler.farm, IP Address:127.0.0.1");
  expect(read.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
  expect(new X509Certificate(authority.certificate).ca).toBe(true);
});

test("both ends of a connection accept each other", async () => {
  const authority = new CertificateAuthority("zfarm-test");
  const ca = authority.certificate;
  const own = authority.issue({ commonName: "scaler", hosts });
  const caller = authority.issue({ commonName: "caller" });
  const server = createServer({ ca, cert: own.certificate, key: own.key, requestCert: true });
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  const called = once(server, "secureConnection");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const { certificate: cert, key } = caller;
  const socket = connect({ host: "127.0.0.1", port, servername: "scaler.farm", ca, cert, key });
  const [peer] = (await called) as [TLSSocket];

  expect(peer.getPeerCertificate().subject.CN).toBe("caller");
  socket.destroy();
});

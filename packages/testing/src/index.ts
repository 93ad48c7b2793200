/** Real servers, contract suites and builders for tests; product code never imports this. */

export { CertificateAuthority, type IssuedCertificate } from "./certificate-authority.ts";
export {
  type BlobStoreUnderTest,
  defineBlobStoreContract,
} from "./contracts/blob-store-contract.ts";
export { defineBrokerContract } from "./contracts/broker-contract.ts";
export {
  codeOf,
  type FarmUnderTest,
  FollowReader,
  never,
  type OpenFarm,
  settle,
} from "./contracts/broker-farm.ts";
export * from "./contracts/broker-messages.ts";
export { type ClockUnderTest, defineClockContract } from "./contracts/clock-contract.ts";
export { defineS3StoreContract, openS3UnderTest } from "./contracts/s3-store-contract.ts";
export { createManualClock, type ManualClock } from "./manual-clock.ts";
export { openScriptMachine, type ScriptMachine } from "./script-machine.ts";
export { findToolForTests } from "./servers/built-tool.ts";
export { type CuttingProxy, startCuttingProxy } from "./servers/cutting-proxy.ts";
export {
  type Direction,
  FaultProxy,
  type FaultProxyOptions,
  startFaultProxy,
  type Toxics,
} from "./servers/fault-proxy.ts";
export { type KubeAnswer, type KubeChange, KubeClient } from "./servers/kube-client.ts";
export {
  type AuditedRequest,
  type ControlPlane,
  hasControlPlaneForTests,
  startControlPlane,
} from "./servers/kube-control-plane.ts";
export {
  gpuNode,
  type KubeObject,
  openResource,
  playedAnnotation,
  simulatedNodeLabel,
  startDelayAnnotation,
} from "./servers/kube-objects.ts";
export type { KubeProcess, KubeProgram } from "./servers/kube-process.ts";
export { hasMinioForTests, startMinio } from "./servers/minio.ts";
export { type NatsFarm, openNatsFarm } from "./servers/nats-farm.ts";
export {
  findServerForTests,
  type NatsServer,
  type NatsServerOptions,
  startNatsServer,
} from "./servers/nats-server.ts";
export { hasRadosgwForTests, startRadosgw } from "./servers/radosgw.ts";
export type { S3Server } from "./servers/s3-server.ts";

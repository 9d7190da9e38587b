// The network access of sandboxes: a gateway of HTTP and TCP that meters, limits and records requests to models.

export {
  egressEnvironment,
  listensOn,
  namePort,
  openEgress,
  proxyPort,
  transparentPort,
  type Egress,
  type EgressServer,
} from "./open-egress.ts";
export { isModelHost, knownModelHosts } from "./models/known-models.ts";
export type { ModelAdmission, ModelGate, RequestToAdmit } from "./models/model-gate.ts";
export type {
  AnswerRecorder,
  AnswerRoom,
  HeldAnswer,
  AnswerEntry,
  AnswerResult,
  RecordedAnswer,
} from "./models/answer-recorder.ts";
export type { ModelRequest, ModelResult } from "./models/model-meter.ts";
export { createAuthority } from "./secrets/create-authority.ts";
export type { EgressOptions, EgressRecord } from "./traffic.ts";

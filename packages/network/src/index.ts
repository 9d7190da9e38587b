// Which addresses may be connected to, and connections to checked addresses. Independent of sandboxes and webhooks.

export { isPublicAddress } from "./private-addresses.ts";
export { dial, EgressRefusedError, resolveName, publicReason, UntrustedHostError, type Resolve } from "./dial.ts";
export {
  decideEgress,
  egressHosts,
  EgressRuleError,
  normalizeHost,
  parseEgressRules,
  type EgressBound,
  type EgressPolicy,
  type EgressRule,
} from "./policy.ts";

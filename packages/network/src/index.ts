// Which addresses may be connected to, and connections to those that were checked. Knows no sandbox and no webhook.

export { isPublicAddress } from "./private-addresses.ts";
export { dial, EgressRefusedError, resolveName, publicReason, UntrustedHostError, type Resolve } from "./dial.ts";
export {
  decide,
  egressHosts,
  EgressRuleError,
  normalHost,
  parseEgressRules,
  type EgressBound,
  type EgressPolicy,
  type EgressRule,
} from "./policy.ts";

// Organizations and their people, keys, sign-in, secrets, limits, budgets, usage and the audit log.

export { getAnswerRecording, putAnswerRecording } from "./answer-recording/answer-recording.ts";
export { listAuditLog } from "./audit/list-audit-log.ts";
export { withAuditEntry, recordChange } from "./audit/record-change.ts";
export { deleteBudget } from "./budgets/delete-budget.ts";
export { listBudgets } from "./budgets/list-budgets.ts";
export { putBudget } from "./budgets/put-budget.ts";
export { createHeldSessionResumer, resumeHeldSessions } from "./budgets/resume-held-sessions.ts";
export { getPlatformStop, resumePlatform, stopPlatform } from "./budgets/stop-platform.ts";
export { grantAppTokens, revokeAppToken } from "./connected-apps/grant-app-tokens.ts";
export { decideAppAuthorization, getAppAuthorization } from "./connected-apps/authorize-app.ts";
export { isProblem, registerClient, type OAuthProblem } from "./connected-apps/app-client.ts";
export { disconnectApp, listConnectedApps } from "./connected-apps/list-apps.ts";
export { mcpResource, requireApps, whyNoApps } from "./connected-apps/mcp-resource.ts";
export { deleteCredential } from "./credentials/delete-credential.ts";
export { listCredentials } from "./credentials/list-credentials.ts";
export { putCredential } from "./credentials/put-credential.ts";
export { deleteEgress, putEgress } from "./egress/change-egress.ts";
export { getEgress } from "./egress/get-egress.ts";
export { authenticateKey, unauthenticated } from "./keys/authenticate.ts";
export { createApiKey } from "./keys/create-api-key.ts";
export { ensureManagedKey } from "./keys/ensure-managed-key.ts";
export { getApiKey } from "./keys/get-api-key.ts";
export { isKnownKey } from "./keys/is-known-key.ts";
export { listApiKeys } from "./keys/list-api-keys.ts";
export { revokeApiKey } from "./keys/revoke-api-key.ts";
export { correctKeptCounts } from "./limits/correct-counts.ts";
export { toQuotaError } from "./limits/quota-error.ts";
export { createRateLimiter, type RateDefaults } from "./limits/rate-limiter.ts";
export { removeMember, updateMember } from "./members/change-member.ts";
export { createInvitation, deleteInvitation, getInvitation, listInvitations } from "./members/invitations.ts";
export { listMembers } from "./members/list-members.ts";
export { createOrganization, setUpOrganization } from "./organizations/create-organization.ts";
export { deleteOrganization } from "./organizations/delete-organization.ts";
export { findFirstOrganizationId } from "./organizations/find-first-organization.ts";
export { getOrganization } from "./organizations/get-organization.ts";
export { hasSeveralOrganizations } from "./organizations/has-several-organizations.ts";
export { hasCreatedOrganization, listOrganizations } from "./organizations/list-organizations.ts";
export { isOperator, requireOperator } from "./organizations/operators.ts";
export { updateOrganization } from "./organizations/update-organization.ts";
export { getPriceList } from "./prices/get-price-list.ts";
export { putPriceList } from "./prices/put-price-list.ts";
export { decryptSecrets, createSecretScrubber } from "./secrets/decrypt-secrets.ts";
export type { KeptSecret } from "./secrets/create-placeholder.ts";
export { resealSecrets } from "./secrets/reseal-secrets.ts";
export { createSealer, deriveKey } from "./secrets/seal-secret.ts";
export { getAllowedOrigins, putAllowedOrigins } from "./session-tokens/allowed-origins.ts";
export {
  authenticateSessionToken,
  isKnownToken,
  requireLiveToken,
  unusableToken,
} from "./session-tokens/authenticate-session-token.ts";
export { checkTokenRoute, checkTokenTarget, requireTokenScope } from "./session-tokens/check-token-access.ts";
export { createSessionToken, revokeSessionTokens } from "./session-tokens/create-session-token.ts";
export { isSessionToken } from "./session-tokens/token-text.ts";
export { createSignInLink } from "./sign-in/create-sign-in-link.ts";
export { decideDeviceRequest, getDeviceRequest, pollDevice, startDevice } from "./sign-in/sign-in-device.ts";
export { getMe, signOut } from "./sign-in/get-me.ts";
export { limitSignInTries } from "./sign-in/limit-sign-in-tries.ts";
export { openSignInLink } from "./sign-in/open-sign-in-link.ts";
export { createKeySignInLink, signInWithKey } from "./sign-in/sign-in-with-key.ts";
export { signInVerifiedPerson, type SignInProblem } from "./sign-in/sign-in-verified-person.ts";
export { authenticateBrowser, type BrowserSignIn } from "./sign-in/sign-in-browser.ts";
export { getAgentUsage } from "./usage/get-agent-usage.ts";
export { getOverview } from "./usage/get-overview.ts";
export { getUsage } from "./usage/get-usage.ts";

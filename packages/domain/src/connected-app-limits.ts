// The limits of apps that people connect by OAuth, such as MCP clients.

const hourMs = 3_600_000;

export const connectedAppLimits = {
  /** How long an authorization code is valid. Milliseconds. */
  codeMs: 60_000,
  /** How long an access token is valid. Milliseconds. */
  accessTokenMs: hourMs,
  /** How long a refresh token is valid if it is not used, and an app from its approval on. Milliseconds. */
  refreshTokenMs: 30 * 24 * hourMs,
  appMs: 90 * 24 * hourMs,
  /** How long a refresh token that was just used gets the same reply again. Milliseconds. */
  repeatMs: 10_000,
  /** Token requests of one app per minute and API process. */
  tokenRequestsPerMinute: 20,
  /** Connected apps of one person, or of the organization's keys. */
  perOwner: 100,
  /** Redirect URIs of a client, and the length of each. */
  redirectUris: 10,
  redirectUriChars: 500,
  nameChars: 100,
  /** Maximum length of a client id, in characters. */
  clientIdChars: 2_000,
  stateChars: 2_000,
  /** A registration or a token request, in bytes. */
  bodyBytes: 16 * 1024,
} as const;

// The limits of session tokens, and of the origins from which browsers can use them.

export const sessionTokenLimits = {
  /** How long a token is valid, in seconds. */
  secondsMin: 60,
  secondsDefault: 3_600,
  secondsMax: 86_400,
  /** Calls and messages of one token per minute, and the bytes that it uploads per hour. */
  requestsPerMinute: 600,
  messagesPerMinute: 60,
  uploadBytesPerHour: 256 * 1024 * 1024,
  /** Open event streams of one token in one API process. */
  streams: 20,
  /** Allowed origins of an organization, and the length of each. */
  originsMax: 50,
  originChars: 300,
} as const;

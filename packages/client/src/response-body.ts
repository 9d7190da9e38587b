// The bytes of a reply; fetch has no stream for an empty one.

export function bodyOf(response: Response): ReadableStream<Uint8Array> {
  return response.body ?? new Blob([]).stream();
}

// Hands bytes to the browser's downloads. They come by fetch, because a link cannot carry the key.

/** Saves a stream under a name. @throws what the stream throws. */
export async function saveAs(filename: string, content: ReadableStream<Uint8Array>): Promise<void> {
  const blob = await new Response(content as BodyInit).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

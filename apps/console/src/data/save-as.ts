// Saves bytes as a download. They are fetched, because a link cannot send the key.

/** Saves a stream as a file. @throws what the stream throws. */
export async function saveAs(filename: string, content: ReadableStream<Uint8Array>): Promise<void> {
  const blob = await new Response(content as BodyInit).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

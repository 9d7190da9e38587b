// Saves bytes as a download. They are fetched, because a link cannot send the key.

/** Saves a stream as a file. @throws what the stream throws. */
export async function saveAs(filename: string, content: ReadableStream<Uint8Array>): Promise<void> {
  saveBlob(filename, await new Response(content as BodyInit).blob());
}

function saveBlob(filename: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}

/** Saves a text as a file. */
export function saveText(filename: string, text: string): void {
  saveBlob(filename, new Blob([text], { type: "text/plain" }));
}

// Which files are shown as pictures. Draws nothing.

const types: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};

/** The most bytes of a file that is shown. Larger files can only be downloaded. */
export const shownBytesMax = 5_000_000;

/** Returns the media type of a picture by the ending of its name; undefined for other files. */
export function pictureType(name: string): string | undefined {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(types, ending) ? types[ending] : undefined;
}

/** Returns the path in the workspace that Markdown names as a picture; undefined for every other address. */
export function picturePath(href: string): string | undefined {
  const path = decode(href);
  const isAddress = /^[a-z][a-z\d+.-]*:|^\/(?!workspace\/)|[\\?#\p{Cc}]|(^|\/)\.\.(\/|$)/iu.test(path);
  return isAddress || pictureType(path) === undefined ? undefined : path;
}

function decode(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}

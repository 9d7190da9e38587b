// Reduces a bundle's source map to the agent's own sources: the map of its packages has megabytes, which Node would
// parse before it shows an error.

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const valueOf = new Map([...digits].map((digit, value) => [digit, value]));

/** `isOwn` is called with each source, as the map names it. Takes and returns the map's JSON text. */
export function keepOwnMappings(text, isOwn) {
  const map = JSON.parse(text);
  const own = map.sources.map(isOwn);
  const kept = map.sources.filter((_source, index) => own[index]);
  const placeOf = new Map(kept.map((source, place) => [source, place]));
  // Fields are relative to the previous segment: generated column, source, line and column in it.
  const read = [0, 0, 0, 0];
  const written = [0, 0, 0, 0];
  const lines = map.mappings.split(";").map((line) => {
    read[0] = written[0] = 0;
    let isLastOwn = false;
    const segments = [];
    for (const segment of line === "" ? [] : line.split(",")) {
      decode(segment)
        .slice(0, 4)
        .forEach((difference, field) => (read[field] += difference));
      if (own[read[1]]) segments.push(encode([read[0], placeOf.get(map.sources[read[1]]), read[2], read[3]], written));
      // Marks where the agent's own code ends within a line.
      else if (isLastOwn) segments.push(encode([read[0]], written));
      isLastOwn = own[read[1]] === true;
    }
    return segments.join(",");
  });
  const last = lines.findLastIndex((line) => line !== "");
  const mappings = lines.slice(0, last + 1).join(";");
  return JSON.stringify({ version: 3, sources: kept, mappings, names: [] });
}

function decode(segment) {
  const fields = [];
  for (let at = 0; at < segment.length;) {
    let value = 0;
    for (let shift = 0, more = true; more; shift += 5, at += 1) {
      const digit = valueOf.get(segment[at]);
      value += (digit & 31) << shift;
      more = (digit & 32) !== 0;
    }
    fields.push(value & 1 ? -(value >> 1) : value >> 1);
  }
  return fields;
}

function encode(fields, written) {
  let text = "";
  fields.forEach((value, field) => {
    const difference = value - written[field];
    written[field] = value;
    let rest = difference < 0 ? (-difference << 1) | 1 : difference << 1;
    do {
      text += digits[(rest & 31) | (rest > 31 ? 32 : 0)];
      rest >>>= 5;
    } while (rest > 0);
  });
  return text;
}

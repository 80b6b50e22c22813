// Text and bytes: the engine has nothing for them.

/** The bytes of a text; half a surrogate pair becomes U+FFFD. */
export const encode = (text) => {
  const coded = unescape(encodeURIComponent(String(text).toWellFormed()));
  return Uint8Array.from(coded, (byte) => byte.charCodeAt(0));
};

/** UTF-8 as text: what is none becomes U+FFFD, or is refused; the mark at its beginning goes, or stays. */
export const decode = (bytes, isFatal, keepsMark) => {
  const points = [];
  let at = !keepsMark && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length) {
    const first = bytes[at++];
    if (first < 0x80) {
      points.push(first);
      continue;
    }
    const point = followed(first);
    if (point < 0 && isFatal) throw new TypeError(`byte ${at - 1} is no UTF-8`);
    points.push(point < 0 ? 0xfffd : point);
  }
  let text = "";
  // As many arguments as a call may have.
  for (let from = 0; from < points.length; from += 4096) text += String.fromCodePoint(...points.slice(from, from + 4096));
  return text;

  function followed(first) {
    let needed = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2 : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
    if (needed === 0) return -1;
    let point = first & (0x3f >> needed);
    // What follows may not make it longer than it need be, a surrogate, or more than there is.
    let least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    let most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    for (; needed > 0; needed -= 1) {
      const next = bytes[at];
      if (!(next >= least && next <= most)) return -1;
      at += 1;
      point = (point << 6) | (next & 0x3f);
      [least, most] = [0x80, 0xbf];
    }
    return point;
  }
};

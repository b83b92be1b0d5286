/** Text from a sandbox, made safe to show. */

const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text that a sandbox chose, safe to print on a terminal: what steers it, or turns the direction of writing, is escaped. */
export function plain(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

function escaped(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return (
    SHORT[letter] ??
    (code < 256 ? `\\x${hex.padStart(2, "0")}` : code < 65536 ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`)
  );
}

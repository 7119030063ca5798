// JSON whose numbers keep their digits: what a JavaScript number does not write the same is a text of the same digits.

const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const notJSON = /^-?0\d/ // 01 is left for JSON.parse to refuse

/**
 * Parses JSON. Numbers that a JavaScript number does not hold, or would write otherwise, become strings, as an account of
 * 18 digits, 1.10 or 1e400; all others are numbers. Throws SyntaxError as JSON.parse does.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(text.replace(token, (t) => (t.startsWith('"') || String(Number(t)) === t || notJSON.test(t) ? t : `"${t}"`)))
}

// JSON whose numbers keep their digits: what a JavaScript number cannot hold is a text of the same digits.

const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const surelyHeld = 15 // significant digits

/**
 * Parses JSON. Numbers of more digits than a JavaScript number holds become strings, as an account of 18 digits; all
 * others are numbers. Throws SyntaxError as JSON.parse does.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text.replace(token, (t) => {
      if (t.startsWith('"') || String(Number(t)) === t) return t
      const digits = t.replace(/[eE].*$/, '').replace(/^-?0*\.?0*|\.|-/g, '')
      return digits.length > surelyHeld ? `"${t}"` : t
    }),
  )
}

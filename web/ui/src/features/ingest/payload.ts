// A quarantined payload as people can look at it: raw bytes that may be anything.

/** Decodes base64; what is not base64 is no bytes. */
export function bytesOf(base64: string | null | undefined): Uint8Array {
  try {
    return Uint8Array.from(atob(base64 ?? ''), (c) => c.charCodeAt(0))
  } catch {
    return new Uint8Array()
  }
}

/** The bytes as UTF-8 text, or null when they are not text that can be shown. */
export function textOf(bytes: Uint8Array): string | null {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
  const control = [...text].some((c) => c < ' ' && c !== '\n' && c !== '\r' && c !== '\t')
  return control ? null : text
}

/** Sixteen bytes a line: offset, hex, and printable ASCII. */
export function hexDump(bytes: Uint8Array, limit = 65_536): string {
  const lines: string[] = []
  const end = Math.min(bytes.length, limit)
  for (let at = 0; at < end; at += 16) {
    const row = [...bytes.subarray(at, Math.min(at + 16, end))]
    const hex = row.map((b) => b.toString(16).padStart(2, '0')).join(' ')
    const ascii = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('')
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${ascii}`)
  }
  return lines.join('\n')
}

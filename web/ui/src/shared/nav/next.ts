// Where a login leads.

import type { Role } from '@/shared/api/types'

const phoneWidth = 700 // CSS pixels; narrower screens are held in a hand

/** A path of this origin, or '' for anything else: another host, a scheme, a backslash, the login itself. */
export function safeNext(raw: unknown, origin: string): string {
  if (typeof raw !== 'string' || !raw.startsWith('/') || /^\/[/\\]/.test(raw) || hasControl(raw)) return ''
  let url: URL
  try {
    url = new URL(raw, origin)
  } catch {
    return ''
  }
  if (url.origin !== origin || url.pathname === '/login') return ''
  return url.pathname + url.search + url.hash
}

// Browsers drop tabs and line ends from a URL, so that "/\t/host" would become "//host".
const hasControl = (s: string) => [...s].some((c) => c < ' ')

/** A county's responder with a phone in the hand goes to the phone page, everybody else to the map. */
export function homeFor(role: Role, width: number): string {
  return role === 'county_responder' && width < phoneWidth ? '/m' : '/'
}

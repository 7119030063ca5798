// Which alerts a silence covers. The server has the same definition (alerts.Silence.Covers); one table of
// cases, alerts/testdata/silences.json, holds both.

import type { Alert, Level } from '@/shared/api/types'
import { rank } from '@/shared/format/levels'

/** What of a silence decides what it covers. Times are RFC 3339. */
export interface Coverage {
  id: number
  /** Each that is not empty narrows; at least one is given. */
  device_id: string
  /** A datastream type's code: an alert's property. */
  type: string
  /** A division and all below it. */
  division: string
  /** It covers alerts of this level and milder ones, never a worse one. */
  level: Level
  starts: string
  ends: string
  ended_at?: string | null
}

/** Whether the silence is in force. now is in milliseconds of the server's clock; the end is not included. */
export function inForce(s: Pick<Coverage, 'starts' | 'ends' | 'ended_at'>, now: number): boolean {
  if (s.ended_at && Date.parse(s.ended_at) <= now) return false
  return Date.parse(s.starts) <= now && now < Date.parse(s.ends)
}

/** Whether the silence keeps the alert quiet now. */
export function covers(s: Coverage, alert: Pick<Alert, 'device_id' | 'property' | 'division' | 'level'>, now: number): boolean {
  if (!s.device_id && !s.type && !s.division) return false
  if (s.device_id && s.device_id !== alert.device_id) return false
  if (s.type && s.type !== alert.property) return false
  if (s.division && !alert.division.startsWith(s.division)) return false
  return rank(alert.level) >= rank(s.level) && inForce(s, now)
}

/** The silence that keeps the alert quiet now: of several the one that ends last. */
export function silenceOf<T extends Coverage>(all: Iterable<T>, alert: Parameters<typeof covers>[1], now: number): T | null {
  let found: T | null = null
  for (const s of all) if (covers(s, alert, now) && (!found || Date.parse(s.ends) > Date.parse(found.ends))) found = s
  return found
}

// Silences in groups, and what one covers, in words.

import type { Silence } from '@/shared/api/types'
import { inForce } from './inforce'

export type SilenceGroup = 'current' | 'future' | 'past'
export const silenceGroups: readonly SilenceGroup[] = ['current', 'future', 'past']

/** Where a silence stands now: ended or over, not yet begun, or in force. now: milliseconds of the server's clock. */
export function groupOf(s: Silence, now: number): SilenceGroup {
  if (s.ended_at || Date.parse(s.ends) <= now) return 'past'
  return inForce(s, now) ? 'current' : 'future'
}

/** When a silence stopped or will stop. */
export const endOf = (s: Silence): string => (s.ended_at && Date.parse(s.ended_at) < Date.parse(s.ends) ? s.ended_at : s.ends)

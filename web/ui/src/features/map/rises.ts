// Which alerts rose just now: began, climbed, or had their data come back.

import type { Alert } from '@/shared/api/types'
import { rank } from '@/shared/format/levels'

/** How old a rise may be that is in the first picture of all, ms: it happened while the page was opening. */
const firstMs = 10_000
/** The most that are told at once: a hundred rings would hide the map that they stand on. */
const most = 20

/** When an alert last rose, ms since the epoch. */
export const roseAt = (a: Alert): number => Date.parse(a.risen_at) || Date.parse(a.opened_at)

/**
 * Makes a function that gives, of all alerts each time, the active red and orange ones that rose since the
 * last time, the worst and newest first. now is the server's, ms.
 */
export function riseWatcher(): (alerts: Iterable<Alert>, now: number) => Alert[] {
  let known: Map<number, { at: number; rank: number }> | null = null
  return (alerts, now) => {
    const next = new Map<number, { at: number; rank: number }>()
    const risen: Alert[] = []
    for (const a of alerts) {
      const at = roseAt(a)
      const before = known?.get(a.id)
      next.set(a.id, { at, rank: rank(a.level) })
      if (a.detection === 'cleared' || a.level < 1 || a.level > 2) continue
      const rose = before ? at > before.at || rank(a.level) < before.rank : known !== null || now - at < firstMs
      if (rose) risen.push(a)
    }
    known = next
    return risen.sort((a, b) => rank(a.level) - rank(b.level) || roseAt(b) - roseAt(a)).slice(0, most)
  }
}

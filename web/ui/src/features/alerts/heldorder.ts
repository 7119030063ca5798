// The order of the alert list while somebody points into it: rows stay where they are, what is new comes at the end,
// and what the list would do otherwise is counted. Pure.

import type { Alert } from '@/shared/api/types'

/** The rows as they stood when they were held, and how each was sorted then. */
export interface Held {
  rows: readonly Alert[]
}

const key = (a: Alert) => `${a.detection === 'cleared'} ${a.level} ${a.peak_level} ${a.risen_at}`

/** The rows to show: the held ones in their places as they are now (or were last, when they are gone), then new ones. */
export function heldRows(held: Held | null, shown: readonly Alert[], newest: (id: number) => Alert | undefined): Alert[] {
  if (!held) return [...shown]
  const known = new Set(held.rows.map((a) => a.id))
  return [...held.rows.map((a) => newest(a.id) ?? a), ...shown.filter((a) => !known.has(a.id))]
}

/** How many rows would come, go or move if they were sorted anew. */
export function waitingUpdates(held: Held | null, shown: readonly Alert[]): number {
  if (!held) return 0
  const before = new Map(held.rows.map((a) => [a.id, key(a)]))
  const now = new Set(shown.map((a) => a.id))
  const changed = shown.filter((a) => before.get(a.id) !== key(a)).length
  return changed + held.rows.filter((a) => !now.has(a.id)).length
}

/** The ids from one row to another, both included, in the order of the rows. */
export function rangeOf(rows: readonly number[], from: number, to: number): number[] {
  const a = rows.indexOf(from)
  const b = rows.indexOf(to)
  if (b < 0) return []
  return a < 0 ? [to] : rows.slice(Math.min(a, b), Math.max(a, b) + 1)
}

// What a wall shows, where nobody can scroll or click.

import type { Alert, Observation, Delivery } from '@/shared/api/types'
import { isActive } from '@/features/alerts/alerts'

/**
 * The rows that have room, of alerts in the order of the list. What is active comes first and is never pushed out;
 * where not all of it has room the last place is for the number of the others.
 */
export function wallRows(sorted: readonly Alert[], room: number): { rows: Alert[]; more: number } {
  const active = sorted.filter(isActive)
  if (active.length > room) {
    const rows = active.slice(0, Math.max(0, room - 1))
    return { rows, more: active.length - rows.length }
  }
  return { rows: [...active, ...sorted.filter((a) => !isActive(a)).slice(0, room - active.length)], more: 0 }
}

const trendMs = 10 * 60_000

/**
 * How far a value moved over about the last ten minutes before its newest reading; null: there is nothing to
 * compare with. Readings out of range and missing ones do not count.
 */
export function trendOf(points: readonly Observation[]): { change: number; minutes: number } | null {
  const good = points.filter((p) => p.qc !== 4 && p.qc !== 9).sort((a, b) => Date.parse(a.t) - Date.parse(b.t))
  const last = good.at(-1)
  if (!last) return null
  const end = Date.parse(last.t)
  const first = good.findLast((p) => Date.parse(p.t) <= end - trendMs) ?? good[0]!
  const minutes = Math.round((end - Date.parse(first.t)) / 60_000)
  return minutes < 1 ? null : { change: last.v - first.v, minutes }
}

/** Who was told of an alert, over all units: how many people, and which units have nobody connected. */
export function toldOf(deliveries: readonly Delivery[]) {
  const count = (of: (d: Delivery) => unknown[] | null) => deliveries.reduce((n, d) => n + (of(d)?.length ?? 0), 0)
  const confirmed = deliveries.flatMap((d) => d.confirmed ?? []).filter((p) => (p as { current?: boolean }).current !== false)
  return {
    connected: count((d) => d.connected),
    received: count((d) => d.received),
    confirmed: confirmed.map((p) => p.name || p.user),
    nobody: deliveries.filter((d) => !d.connected?.length).map((d) => d.name),
  }
}

// Events of presence as the lines of a list.

import type { LogEvent } from '@/shared/api/types'
import type { PresenceChange } from '@/shared/live/frames'
import { presenceEvent } from './presence'

export interface TimelineRow {
  key: string
  /** When the server told it. */
  at: string
  /** Null: so many more that the event does not list. */
  change: PresenceChange | null
  more: number
  division: string
}

/** The changes of events that are newest first, in the same order; an event that cannot be read is passed over. */
export function rows(events: LogEvent[]): TimelineRow[] {
  return events.flatMap((e) => {
    const told = presenceEvent(e.payload)
    if (!told) return []
    const division = e.divisions?.[0] ?? ''
    const list: TimelineRow[] = (told.changes ?? []).map((change, i) => ({ key: `${e.seq}-${i}`, at: e.at, change, more: 0, division }))
    if (told.more > 0) list.push({ key: `${e.seq}-more`, at: e.at, change: null, more: told.more, division })
    return list
  })
}

/** Newer events and those held, each once, newest first. */
export function joined(newer: LogEvent[], held: LogEvent[]): LogEvent[] {
  const known = new Set(held.map((e) => e.seq))
  return [...newer.filter((e) => !known.has(e.seq)), ...held].sort((a, b) => b.seq - a.seq)
}

/** The newest page and those held; a full page that does not reach down to them stands alone, so that nothing is missing in between. */
export function refreshed(page: LogEvent[], held: LogEvent[], full: number): LogEvent[] {
  const newest = held[0]?.seq ?? Infinity
  return page.length < full || page.at(-1)!.seq <= newest ? joined(page, held) : page
}

export interface TimelineFilter {
  which: 'all' | 'devices' | 'streams'
  /** All of its rows and no others; empty: those that the words are in. */
  device: string
  words: string
}

/** Rows of the kind and the words asked for; what an event left out stays, it may be among it. */
export function matching(list: TimelineRow[], { which, device, words }: TimelineFilter, name: (device: string) => string): TimelineRow[] {
  const q = words.trim().toLowerCase()
  return list.filter((r) => {
    if (!r.change) return true
    if (which !== 'all' && (which === 'streams') !== !!r.change.datastream_id) return false
    if (device) return r.change.device === device
    return !q || `${r.change.device} ${name(r.change.device)} ${r.change.datastream ?? ''}`.toLowerCase().includes(q)
  })
}

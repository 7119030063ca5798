// What the phone page decides, without a phone: what it keeps over a reload, in which order alerts
// stand, which of them ask for an acknowledgement, and what was missed.

import { confirmedBy } from '@/features/alerts/alarm/machine'
import type { Alert, Level } from '@/shared/api/types'
import type { Position } from '@/shared/live/client'
import type { AlertEvent, EventFrame } from '@/shared/live/frames'
import { rank } from '@/shared/format/levels'

/** What this browser keeps for one user: its name to the server, its place in the log, taps not yet taken. */
export interface PhoneMemory {
  client: string
  position: Position | null
  /** Acknowledgements that were tapped, at the level that the screen said (0: not known), and that the server has not answered. */
  pending: Tap[]
}

export interface Tap {
  id: number
  level: Level
}

export const memoryKey = (user: string) => `onemap.phone.${user}`

// An earlier version kept bare ids.
function tapOf(raw: unknown): Tap | null {
  const { id, level } = (typeof raw === 'object' && raw !== null ? raw : { id: raw, level: 0 }) as Record<string, unknown>
  if (!Number.isSafeInteger(id) || (id as number) <= 0 || ![0, 1, 2, 3, 4].includes(level as number)) return null
  return { id: id as number, level: level as Level }
}

/** Reads what was kept. What is not understood counts as not kept; client is made by the caller then. */
export function parseMemory(text: string | null, makeClient: () => string): PhoneMemory {
  let raw: Record<string, unknown> = {}
  try {
    const read: unknown = JSON.parse(text ?? '{}')
    if (typeof read === 'object' && read !== null) raw = read as Record<string, unknown>
  } catch {
    // Not ours, or cut off: begin anew.
  }
  const at = raw.position as Partial<Position> | null | undefined
  const seq = at?.seq
  return {
    client: typeof raw.client === 'string' && /^[0-9a-f]{32}$/.test(raw.client) ? raw.client : makeClient(),
    position: typeof at?.epoch === 'string' && at.epoch !== '' && Number.isSafeInteger(seq) && seq! >= 0 && typeof at.id === 'string'
      ? { epoch: at.epoch, seq: seq!, id: at.id }
      : null,
    pending: Array.isArray(raw.pending) ? raw.pending.map(tapOf).filter((tap) => tap !== null) : [],
  }
}

/** What waits for this unit first, then the other active ones, then what is over; each the worst first, then the newest rise. */
export function phoneOrder(waits: (a: Alert) => boolean): (a: Alert, b: Alert) => number {
  const group = (a: Alert) => (a.detection === 'cleared' ? 2 : waits(a) ? 0 : 1)
  const level = (a: Alert) => rank(a.detection === 'cleared' ? a.peak_level : a.level)
  return (a, b) => group(a) - group(b) || level(a) - level(b) || Date.parse(b.risen_at) - Date.parse(a.risen_at) || b.id - a.id
}

/**
 * Whether the alert still asks this unit to acknowledge it at the level that it has. A county confirms for itself:
 * that the city was faster does not take it away. Where the server has named steps, they count.
 */
export function asksForAck(alert: Alert, unit: string): boolean {
  if (alert.possible?.length) return alert.possible.includes('acknowledge')
  return alert.handling !== 'closed' && !confirmedBy(alert, unit)
}

/** One alert that changed while nobody was connected: the last thing that happened to it. */
export interface Missed {
  id: number
  kind: string
  at: string
  alert: Alert
  /** It began while we were away. */
  fresh: boolean
}

/** Adds a replayed event to what was missed: one entry an alert, the newest change first. */
export function addMissed(list: readonly Missed[], frame: EventFrame): Missed[] {
  const alert = (frame.payload as AlertEvent | undefined)?.alert
  if (!alert) return [...list]
  const before = list.find((m) => m.id === alert.id)
  const entry: Missed = { id: alert.id, kind: frame.kind, at: frame.at, alert, fresh: (before?.fresh ?? false) || frame.kind === 'alert.issued' }
  return [entry, ...list.filter((m) => m.id !== alert.id)]
}

/** Whether an event lies in a replay: after where the client stood, up to the server's head then. */
export function inReplay(seq: number, window: { from: number; to: number } | null): boolean {
  return window !== null && seq > window.from && seq <= window.to
}

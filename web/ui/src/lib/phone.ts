// What the phone page decides, without a phone: what it keeps over a reload, in which order alerts
// stand, which of them ask for an acknowledgement, and what was missed.

import type { Alert, Delivery, Level } from '../api/types'
import type { Position } from '../live/client'
import type { EventFrame } from '../live/frames'
import type { AlertEvent } from '../stores/alerts'
import { rank } from './levels'

/** What this browser keeps for one user: its name to the server, its place in the log, taps not yet taken. */
export interface PhoneMemory {
  client: string
  position: Position | null
  /** Alerts whose acknowledgement was tapped and that the server has not answered. */
  pending: number[]
  /** Sound was wanted; a browser still asks for a gesture in each life of the page. */
  armed: boolean
}

export const memoryKey = (user: string) => `onemap.phone.${user}`

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
    position: typeof at?.epoch === 'string' && at.epoch !== '' && Number.isSafeInteger(seq) && seq! >= 0 ? { epoch: at.epoch, seq: seq! } : null,
    pending: Array.isArray(raw.pending) ? raw.pending.filter((id): id is number => Number.isSafeInteger(id) && id > 0) : [],
    armed: raw.armed === true,
  }
}

/** Unhandled and active first, then the other active ones, then what is over; each the newest first. */
export function phoneOrder(a: Alert, b: Alert): number {
  const group = (x: Alert) => (x.detection === 'cleared' ? 2 : x.handling === 'new' ? 0 : 1)
  return group(a) - group(b) || Date.parse(b.opened_at) - Date.parse(a.opened_at) || rank(a.level) - rank(b.level) || b.id - a.id
}

/**
 * Whether the alert still asks this viewer to acknowledge it. A county confirms for itself: that the
 * city was faster does not take it away. own is the county's delivery, undefined while not known.
 */
export function asksForAck(alert: Alert, own: Delivery | undefined): boolean {
  if (alert.handling === 'closed') return false
  if (alert.handling === 'new') return true
  return own !== undefined && !own.confirmed?.length
}

/** Whether an event is news that deserves the whole screen: an alert began, or got worse than known. */
export function isNews(frame: EventFrame, alert: Alert, known: Level | undefined): boolean {
  if (alert.detection === 'cleared') return false
  if (frame.kind === 'alert.issued') return true
  return frame.kind === 'alert.updated' && known !== undefined && rank(alert.level) < rank(known)
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

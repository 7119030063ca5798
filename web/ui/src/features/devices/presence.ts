// Whether devices are heard of: what presence.changed events say, applied to the devices held, and
// what a page says of it. The server judges; a page only ages what it shows.

import { limits } from '@/shared/api/limits.gen'
import type { Datastream, Device } from '@/shared/api/types'
import type { PresenceChange, PresenceEvent } from '@/shared/live/frames'

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const states = ['online', 'offline', 'stale', 'fresh']

function isChange(v: unknown): v is PresenceChange {
  return (
    isObject(v) && typeof v.device === 'string' && typeof v.state === 'string' && states.includes(v.state) &&
    typeof v.reason === 'string' && typeof v.since === 'string' && !Number.isNaN(Date.parse(v.since)) &&
    (v.datastream_id === undefined || typeof v.datastream_id === 'number')
  )
}

/** The payload of a presence.changed event; null when it cannot be read, so that everything must be asked for. */
export function presenceEvent(payload: unknown): PresenceEvent | null {
  if (!isObject(payload)) return null
  const changes = payload.changes ?? []
  if (!Array.isArray(changes) || !changes.every(isChange)) return null
  return { changes, more: typeof payload.more === 'number' ? payload.more : 0 }
}

const after = (a: string | null | undefined, b: string) => !!a && Date.parse(a) > Date.parse(b)

/**
 * Applies the changes of an event that was written at a time; tells whether anything changed. What
 * live state said after that stands: the event that belongs to it is still to come.
 */
export function applyPresence(devices: ReadonlyMap<string, Device>, event: PresenceEvent, at: string): boolean {
  let changed = false
  for (const c of event.changes ?? []) {
    const device = devices.get(c.device)
    if (!device) continue
    if (c.datastream_id) changed = applyToStream(device, c, at) || changed
    else if (!after(device.status_at, at)) {
      device.online = c.state === 'online'
      device.reason = c.reason
      device.status_at = c.since
      changed = true
    }
  }
  return changed
}

function applyToStream(device: Device, c: PresenceChange, at: string): boolean {
  const stream = device.datastreams?.find((s) => s.id === c.datastream_id)
  if (!stream) return false
  if (c.state === 'stale' && stream.latest && after(effectiveTime(stream.latest), at)) return false
  stream.stale_since = c.state === 'stale' ? c.since : null
  return true
}

/** A reading counts from the earlier of its own time and its receipt's. */
export function effectiveTime(reading: { t: string; received_at: string }): string {
  return Date.parse(reading.received_at) < Date.parse(reading.t) ? reading.received_at : reading.t
}

const pace = limits.DatastreamChange.interval_s

/** Reads a pace in seconds; null is empty, that of the type, undefined none that the server takes. */
export function parseInterval(text: string): number | null | undefined {
  const digits = text.trim()
  if (!digits) return null
  const n = /^\d{1,6}$/.test(digits) ? Number(digits) : 0
  return n >= pace.minimum && n <= pace.maximum ? n : undefined
}

/** How long a datastream may be without a new observation, milliseconds; the server says how many seconds. */
export const staleAfterMs = (stream: Datastream) => stream.stale_after_s * 1000

/** Since when a datastream is silent, by the server or by its own age; null: it is not, or never spoke. */
export function staleSince(stream: Datastream, now: number): string | null {
  if (stream.stale_since) return stream.stale_since
  if (!stream.latest) return null
  const at = effectiveTime(stream.latest)
  return now - Date.parse(at) >= staleAfterMs(stream) ? at : null
}

/**
 * Every datastream that ever spoke is silent; a device without readings counts from its status, with the longest time of
 * its datastreams.
 */
export function isSilent(device: Device, now: number): boolean {
  const streams = device.datastreams ?? []
  const spoke = streams.filter((s) => s.latest)
  if (spoke.length) return spoke.every((s) => staleSince(s, now) !== null)
  const said = device.status_at ?? device.last_seen
  if (!said || !streams.length) return !said
  return now - Date.parse(said) >= Math.max(...streams.map(staleAfterMs))
}

export type PresenceWord = 'online' | 'offline' | 'silent' | 'disabled' | 'never'

export interface Presence {
  word: PresenceWord
  /** Of the messages command.device.why.…; empty: nothing to say. */
  why: 'status_on' | 'status_off' | 'silence' | 'late' | 'reading' | ''
  since: string | null
}

/** What is said of a device: the word, why, and since when. */
export function presenceOf(device: Device, now: number): Presence {
  if (!device.enabled) return { word: 'disabled', why: '', since: null }
  if (!device.last_seen && !device.status_at) return { word: 'never', why: '', since: null }
  if (!device.online) {
    const why = device.reason === 'silence' || device.reason === 'late' ? device.reason : device.reason === 'status' ? 'status_off' : ''
    return { word: 'offline', why, since: device.status_at }
  }
  if (isSilent(device, now)) {
    const newest = (device.datastreams ?? []).map((s) => staleSince(s, now)).filter((s) => s !== null).sort().at(-1)
    return { word: 'silent', why: 'silence', since: newest ?? device.last_seen }
  }
  return { word: 'online', why: device.reason === 'status' ? 'status_on' : device.reason === 'reading' ? 'reading' : '', since: device.status_at }
}

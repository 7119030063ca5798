// The frames of subprotocol onemap.v1, and the one place that decides whether a text is one.

import type { Health } from '@/shared/api/types'

export interface WelcomeFrame {
  type: 'welcome'
  epoch: string
  head: number
  head_id: string
  recovered: boolean
  time: string
}

export interface EventFrame {
  type: 'event'
  seq: number
  id: string
  at: string
  kind: string
  subject: string
  actor?: string
  divisions?: string[] | null
  payload: unknown
}

export interface StateFrame {
  type: 'state'
  at: string
  batch: number
  batch_id: string
  /** src: where t comes from when it is not the device's plain time, as an observation's time_source. */
  readings?: { ds: number; device: string; t: string; v: number; qc: number; src?: number }[] | null
  status?: { device: string; online: boolean; at: string }[] | null
  seen?: Record<string, string> | null
}

export interface HeartbeatFrame {
  type: 'hb'
  head: number
  head_id: string
  time: string
  health: Health
}

export interface ClientsFrame {
  type: 'clients'
  /** Connected responders by division, and those of them at whose machine an alarm sounds. */
  divisions: Record<string, number>
  armed?: Record<string, number>
}

/** Whether an alarm would be heard: armed; off: no gesture has allowed it yet; muted by a person; suspended by the browser. */
export type SoundState = 'armed' | 'off' | 'muted' | 'suspended'

/** What a page says of itself. */
export interface PageStatus {
  sound: SoundState
  visible: boolean
  /** The alert that is open, 0: none. */
  alert: number
  /** A handling step of it is being written. */
  acting: boolean
}

/** Who has an alert open now; acting: a handling step of it is being written. */
export interface Viewer {
  user: string
  name: string
  division: string
  acting: boolean
}

/** Everybody who has an alert open: the whole state each time. */
export interface ViewersFrame {
  type: 'viewers'
  alerts: { alert: number; people: Viewer[] | null }[] | null
}

/** Zoom, then west, north, east and south columns and rows of tiles, the ends included. */
export type TileRange = [z: number, x0: number, y0: number, x1: number, y1: number]

/** Which tiles are not what they were. */
export interface TilesFrame {
  type: 'tiles'
  /** All tiles of every layer. */
  all: boolean
  /** Ranges of null are all of the layer's tiles. */
  layers: { layer: string; ranges: TileRange[] | null }[]
}

export type Frame = WelcomeFrame | EventFrame | StateFrame | HeartbeatFrame | ClientsFrame | TilesFrame | ViewersFrame

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const isSeq = (v: unknown): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0

const deepestZoom = 22

function isRange(v: unknown): v is TileRange {
  if (!Array.isArray(v) || v.length !== 5 || !v.every(isSeq)) return false
  const [z, x0, y0, x1, y1] = v as TileRange
  return z <= deepestZoom && x0 <= x1 && y0 <= y1 && x1 < 2 ** z && y1 < 2 ** z
}

// A notice that cannot be read is not passed over: what it said may be lost, so everything is refreshed.
function tilesFrame(raw: Record<string, unknown>): TilesFrame {
  const everything: TilesFrame = { type: 'tiles', all: true, layers: [] }
  if (raw.all === true || (raw.all !== undefined && raw.all !== false)) return everything
  if (!Array.isArray(raw.layers)) return everything
  const layers: TilesFrame['layers'] = []
  for (const entry of raw.layers as unknown[]) {
    if (!isObject(entry) || typeof entry.layer !== 'string' || !entry.layer) return everything
    if (entry.all === true) layers.push({ layer: entry.layer, ranges: null })
    else if (Array.isArray(entry.ranges) && entry.ranges.every(isRange)) layers.push({ layer: entry.layer, ranges: entry.ranges })
    else return everything
  }
  return { type: 'tiles', all: false, layers }
}

const isViewer = (v: unknown): v is Viewer => isObject(v) && typeof v.user === 'string'

/** Entries that cannot be read are left out: presence is a help, and the next frame is whole again. */
function viewersFrame(raw: Record<string, unknown>): ViewersFrame | null {
  if (raw.alerts !== null && !Array.isArray(raw.alerts)) return null
  const alerts: NonNullable<ViewersFrame['alerts']> = []
  for (const entry of (raw.alerts ?? []) as unknown[]) {
    if (!isObject(entry) || !isSeq(entry.alert)) continue
    const people = (Array.isArray(entry.people) ? (entry.people as unknown[]) : []).filter(isViewer)
    alerts.push({
      alert: entry.alert,
      people: people.map((p) => ({ user: p.user, name: p.name || p.user, division: p.division ?? '', acting: (p.acting as unknown) === true })),
    })
  }
  return { type: 'viewers', alerts }
}

/**
 * Decodes one text frame. Null is what this version does not know or cannot read: a frame of a newer
 * server is passed over, and a broken one may not break the page.
 */
export function parseFrame(text: string): Frame | null {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(raw)) return null
  switch (raw.type) {
    case 'welcome':
      return typeof raw.epoch === 'string' && isSeq(raw.head) && typeof raw.recovered === 'boolean'
        ? (raw as unknown as WelcomeFrame)
        : null
    case 'event':
      return isSeq(raw.seq) && typeof raw.id === 'string' && typeof raw.kind === 'string' ? (raw as unknown as EventFrame) : null
    case 'state':
      return typeof raw.batch === 'number' ? (raw as unknown as StateFrame) : null
    case 'hb':
      return isSeq(raw.head) && isObject(raw.health) ? (raw as unknown as HeartbeatFrame) : null
    case 'clients':
      return isObject(raw.divisions) ? (raw as unknown as ClientsFrame) : null
    case 'tiles':
      return tilesFrame(raw)
    case 'viewers':
      return viewersFrame(raw)
    default:
      return null
  }
}

/** Close codes of the protocol. */
export const closeCode = {
  badFrame: 4000,
  sessionEnded: 4001,
  helloMissing: 4002,
  scopeChanged: 4003,
  resume: 4100,
  goingAway: 4101,
} as const

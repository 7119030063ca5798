// The frames of subprotocol onemap.v1, and the one place that decides whether a text is one.

import type { Alert, Silence } from '@/shared/api/types'
import type { components } from './frames.gen'

type S = components['schemas']

export type WelcomeFrame = S['WelcomeFrame']
export type EventFrame = S['EventFrame']
export type StateFrame = S['StateFrame']
export type HeartbeatFrame = S['HeartbeatFrame']
export type ClientsFrame = S['ClientsFrame']
export type ViewersFrame = S['ViewersFrame']
/** Who has an alert open now; acting: a handling step of it is being written. */
export type Viewer = S['Viewer']
export type TileRange = S['TileRange']
export type HelloFrame = S['HelloFrame']
export type AckFrame = S['AckFrame']
export type StatusFrame = S['StatusFrame']
export type ClientFrame = S['ClientFrame']
export type SoundState = StatusFrame['sound']
/** What a page says of itself. */
export type PageStatus = Required<Omit<StatusFrame, 'type'>>

/** Which tiles are not what they were. Ranges of null are all of the layer's tiles. */
export interface TilesFrame {
  type: 'tiles'
  /** All tiles of every layer. */
  all: boolean
  layers: { layer: string; ranges: TileRange[] | null }[]
}

export type Frame = Exclude<S['ServerFrame'], S['TilesFrame']> | TilesFrame

// What events carry, by their kind: EventPayloads of the schema.
export type AlertEvent = Omit<S['AlertEvent'], 'alert'> & { alert: Alert }
export type LayerEvent = S['LayerEvent']
export type SilenceEvent = Omit<S['SilenceEvent'], 'silence'> & { silence: Silence }
export type PresenceEvent = S['PresenceEvent']
export type PresenceChange = S['PresenceChange']
export type UnevaluatedEvent = S['UnevaluatedEvent']
export type UnevaluatedChange = S['UnevaluatedChange']

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
  const alerts: ViewersFrame['alerts'] = []
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

// The frames of subprotocol onemap.v1, and the one place that decides whether a text is one.

import type { Health } from '../api/types'

export interface WelcomeFrame {
  type: 'welcome'
  epoch: string
  head: number
  recovered: boolean
  time: string
}

export interface EventFrame {
  type: 'event'
  seq: number
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
  readings?: { ds: number; device: string; t: string; v: number; qc: number }[] | null
  status?: { device: string; online: boolean; at: string }[] | null
  seen?: Record<string, string> | null
}

export interface HeartbeatFrame {
  type: 'hb'
  head: number
  time: string
  health: Health
}

export interface ClientsFrame {
  type: 'clients'
  divisions: Record<string, number>
}

export type Frame = WelcomeFrame | EventFrame | StateFrame | HeartbeatFrame | ClientsFrame

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const isSeq = (v: unknown): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0

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
      return isSeq(raw.seq) && typeof raw.kind === 'string' ? (raw as unknown as EventFrame) : null
    case 'state':
      return typeof raw.batch === 'number' ? (raw as unknown as StateFrame) : null
    case 'hb':
      return isSeq(raw.head) && isObject(raw.health) ? (raw as unknown as HeartbeatFrame) : null
    case 'clients':
      return isObject(raw.divisions) ? (raw as unknown as ClientsFrame) : null
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

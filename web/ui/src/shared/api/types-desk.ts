// The wire shapes of the people who handle alerts: whom they assign to, silences, bulk steps, filters.

import type { Alert, Level, Problem, Role } from './types'

/** A person that an alert may be assigned to. */
export interface Assignee {
  user: string
  name: string
  role: Role
  division: string
  /** Connected to the live feed now. */
  online: boolean
  /** The newest sign of life of any of the person's pages; null: none is known. */
  last_seen: string | null
}

export type SilenceKind = 'silence' | 'maintenance'

/**
 * Alerts that it covers are stored, listed and shown, but do not ring, take the screen or count as
 * unanswered. device_id, type and division narrow it where they are not empty; at least one is not.
 */
export interface Silence {
  id: number
  kind: SilenceKind
  device_id: string
  /** A datastream type's code: Alert.property. */
  type: string
  /** And everything in it. */
  division: string
  /** It covers alerts of this level or milder, never worse ones. */
  level: Level
  reason: string
  owner: string
  owner_name: string
  starts: string
  ends: string
  created_at: string
  /** When somebody ended it before its time. */
  ended_at: string | null
  ended_by: string
}

/** What makes a silence; without starts it starts now. */
export interface NewSilence {
  kind: SilenceKind
  device_id?: string
  type?: string
  division?: string
  level: Level
  reason: string
  starts?: string
  ends: string
}

/** The payload of the event silence.changed. */
export interface SilenceEvent {
  silence: Silence
}

/** What became of one alert of a bulk step: the alert as it is then, or why not. */
export interface BulkItem {
  id: number
  alert?: Alert
  problem?: Problem
}

export interface BulkAnswer {
  items: BulkItem[] | null
}

/** What a list or an export of alerts is narrowed by; lists of levels and states are joined by commas. */
export interface AlertFilter {
  open?: boolean
  /** open: not cleared, or not closed; cleared: cleared and not closed; closed; all. */
  state?: 'open' | 'cleared' | 'closed' | 'all'
  /** When the alert was opened: from and before to, RFC 3339. */
  from?: string
  to?: string
  /** And everything in it. */
  division?: string
  hazard?: string
  level?: string
  peak?: string
  handling?: string
  device?: string
  q?: string
}

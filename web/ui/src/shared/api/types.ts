// The wire shapes, from the json tags of the Go domain types. Times are RFC 3339 strings in UTC,
// coordinates are lon, lat in EPSG:4326, units are UCUM with a readable symbol.

import type { Level } from '@/shared/theme/tokens'
import type { Page } from './pages'

export type { Level }
export type * from './types-alerts'
export type * from './types-desk'
export type * from './types-displays'
export type * from './types-layers'
export type * from './types-sensing'

export interface Text {
  zh: string
  en: string
}

export type Origin = 'real' | 'schematic' | 'synthetic' | 'fact-table'
export type Role =
  | 'city_commander'
  | 'county_responder'
  | 'data_steward'
  | 'observer'
  | 'administrator'
  | 'display'
  | 'display_acknowledge'
export type Permission = 'view' | 'acknowledge' | 'handle-alert' | 'edit-data' | 'edit-rules' | 'accounts'

/** One fault of several; detail is English, and code and params say the same where it has a code. */
export interface ProblemFault {
  field: string
  detail: string
  code?: string
  params?: Record<string, string>
}

export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  kind?: string
  field?: string
  code?: string
  params?: Record<string, string>
  errors?: ProblemFault[]
  /** How many faults there are, when errors does not have them all. */
  faults?: number
}

export interface Me {
  user: string
  name: string
  role: Role
  division: string
  division_name: Text
  permissions: Permission[]
  /** When the session ends without further use. */
  expires: string
  /** When it ends whatever the use; null: never. */
  ends: string | null
  /** The display that is logged in; null: a person is. */
  display: { id: number; name: string } | null
  server: { version: string; time: string; simulated: boolean; node: string; build: string }
  city: { code: string; name: Text; bbox: [number, number, number, number]; center: [number, number] }
  timezone: string
}

export interface Account {
  id: number
  user: string
  name: string
  role: Role
  division: string
  disabled: boolean
  created_at: string
  version: number
  /** Null: none has succeeded. */
  last_login_at: string | null
  last_login_from: string
}

export type FailureReason = 'password' | 'disabled' | 'locked' | 'change' | 'rest'

/** Attempts to log in that failed alike within a minute. */
export interface FailedLogin {
  id: number
  at: string
  /** Empty: what was typed can be no user name. */
  user: string
  /** Whether there is such an account. */
  known: boolean
  division: string
  remote: string
  reason: FailureReason
  attempts: number
}

export interface FailedLoginFilter {
  user?: string
  remote?: string
  reason?: FailureReason | ''
  account?: 'known' | 'unknown' | ''
}

export interface Session {
  id: number
  account_id: number
  user: string
  created_at: string
  expires_at: string
  ends_at: string | null
  last_seen: string
  revoked_at: string | null
  remote: string
  agent: string
}

export interface Division {
  code: string
  name: Text
  parent: string
  valid_from?: string
  valid_to?: string
  successor?: string
  lon: number
  lat: number
}

export interface Observation {
  datastream_id: number
  t: string
  v: number
  qc: number
  time_source?: number
  received_at: string
}

export interface Datastream {
  id: number
  device_id: string
  name: string
  type: string
  title: Text
  latest: Observation | null
  /** Expected pace, seconds. */
  interval_s: number
  /** Since when it is silent, three intervals missed. */
  stale_since: string | null
}

export interface Device {
  id: string
  division: string
  name: Text
  hazard_type: string
  site?: string
  lon: number
  lat: number
  origin: Origin
  source: string
  enabled: boolean
  online: boolean
  status_at: string | null
  /** Why online is what it is: status, silence, reading; empty: never seen. */
  reason: string
  last_seen: string | null
  /** By how much its clock is wrong, its time less ours, seconds: negative is behind; null: it is right. */
  clock_offset_s?: number | null
  /** Why the rules have not looked at its readings for three intervals, although it is heard of: late, bad, quarantine; empty: they do. */
  unevaluated?: string
  unevaluated_since?: string | null
  level: Level
  datastreams: Datastream[] | null
  /** Of its client certificate, for those who may manage it. */
  cert_sha256?: string
}

export interface DeviceSnapshot {
  epoch: string
  seq: number
  seq_id: string
  batch: number
  batch_id: string
  at: string
  items: Device[]
  next?: string
}

export interface DatastreamType {
  code: string
  title: Text
  unit: string
  symbol: string
  hazard_type: string
  min: number
  max: number
  decimals: number
  interval_s: number
  retention: string
}

export interface HazardType {
  code: string
  title: Text
  sector: string
  cap_category: string
  radius_m: number
  instruction: Text
  lead_minutes: number
}

export type Direction = 'above' | 'below'

export interface Threshold {
  level: Level
  raise: number
  clear: number
}

export interface Rule {
  id: number
  name: Text
  datastream_type: string
  datastream_id?: number
  direction: Direction
  thresholds: Threshold[]
  for_seconds: number
  /** How long the value must stay at the safe side before the alert leaves a level, in event time. */
  hold_seconds: number
  enabled: boolean
  origin: Origin
  version: number
  updated_at: string
  updated_by: string
}

/** One thing that is wrong, by a code and what goes into its sentence. */
export interface Fault {
  field?: string
  code: string
  params?: Record<string, string>
}

export interface Quarantined {
  id: number
  at: string
  device_id: string
  topic: string
  reason: string
  /** In English. */
  detail: string
  /** The same by codes; rows of before codes were kept have none. */
  faults?: Fault[]
  payload: string
  size: number
  /** Above 0 the row stands for so many payloads of a minute, which have so many bytes. */
  more?: number
  more_bytes?: number
}

export interface Hit {
  kind: 'feature' | 'device' | 'division' | 'alert'
  layer?: string
  id: string
  name: Text
  /** Where it is today: of an abolished division its successor. */
  division: string
  division_name: Text
  /** Of a division that is no longer in use: the year in which it ended. */
  abolished?: number
  level: Level
  lon: number
  lat: number
}

export interface PartHealth {
  part: string
  ok: boolean
  lag_s?: number
  /** In English; code and params say the same. */
  detail?: string
  code?: string
  params?: Record<string, string>
}

export interface Health {
  ok: boolean
  parts: PartHealth[] | null
}

export interface SourceFile {
  file: string
  title: Text
  source: string
  version: string
  sha256: string
  licence: string
  origin: Origin
  attribution: string
  note: string
}

export type Items<T> = Page<T>

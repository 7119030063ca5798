// The wire shapes of an alert, its history and its deliveries: alerts, web/api/alerts.go.

import type { Direction, Level, Origin, Position, Text } from './types'

export type Detection = 'normal' | 'pending' | 'firing' | 'recovering' | 'cleared' | 'stale'
export type Handling = 'new' | 'acknowledged' | 'assigned' | 'resolved' | 'closed'
export type AlertAction = 'acknowledge' | 'assign' | 'resolve' | 'close'

export interface Alert {
  id: number
  rule_id: number
  rule_name: Text
  datastream_id: number
  device_id: string
  device_name: Text
  hazard: string
  hazard_name: Text
  property: string
  property_name: Text
  symbol: string
  level: Level
  peak_level: Level
  detection: Detection
  handling: Handling
  division: string
  divisions: string[] | null
  headline: Text
  lon: number
  lat: number
  area: Position[][] | null
  onset: string
  opened_at: string
  updated_at: string
  cleared_at: string | null
  value: number
  value_at: string
  threshold: number
  direction: Direction
  origin: Origin
  identifier: string
  expires: string
  assignee: string
  version: number
  /** The worst value since the episode began, and the event time of its reading. */
  peak_value: number
  peak_at: string
  /** When the episode began, last rose, or its data came back; by the server's clock. */
  risen_at: string
  /** The level just before risen_at; 0: the episode began with it. */
  risen_from: Level
  reopened?: Reopened | null
  /** The level of the last handling step; 0: handling is new. */
  handled_level?: Level
  confirmations: Confirmation[] | null
  /** How often the value was back at the safe side for less than the rule's hold. */
  flaps: number
  /** What the viewer may do now; events do not carry it. */
  possible?: AlertAction[] | null
}

/** Why the handling of an alert began anew. */
export interface Reopened {
  at: string
  from: Handling
  /** The level that it was handled at. */
  level: Level
  why: 'rise' | 'data'
}

/** A unit knows of an alert at a level. */
export interface Confirmation {
  division: string
  user: string
  name: string
  level: Level
  at: string
  /** False: the alert has risen above level since, or its data came back. */
  current: boolean
}

export interface AlertSnapshot {
  epoch: string
  seq: number
  seq_id: string
  items: Alert[]
  next?: string
  /** How many match in all, when it was asked for. */
  count?: number
}

export interface Audit {
  id: number
  at: string
  actor: string
  division: string
  step: string
  before: string
  after: string
  note: string
  /** The alert's after the step; 0: not known. */
  level?: Level
}

export interface CapMessage {
  identifier: string
  alert_id: number
  msg_type: string
  sent: string
  expires: string
}

export interface Person {
  user: string
  name: string
  at: string
  /** Of who is connected: whether an alarm would be heard at their machines; empty: none has said. */
  sound?: string
  /** Of who confirmed: the alert's level then, and whether that still holds. */
  level?: Level
  current?: boolean
}

export interface Delivery {
  division: string
  name: Text
  connected: Person[] | null
  received: Person[] | null
  confirmed: Person[] | null
}

export interface AlertDetail {
  alert: Alert
  history: Audit[] | null
  messages: CapMessage[] | null
  deliveries: Delivery[] | null
}

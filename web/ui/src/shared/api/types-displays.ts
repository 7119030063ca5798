// The wire shapes of walls and duty phones: auth/display.go, web/api/displays.go.

import type { Text } from './types'

export type DisplayMode = 'read' | 'acknowledge'
export type DisplayStart = 'wall' | 'phone'

/** A wall or a duty phone that is logged in without a person. */
export interface Display {
  id: number
  name: string
  division: string
  mode: DisplayMode
  start: DisplayStart
  created_at: string
  created_by: string
  /** Until when its unused link can be used; null: there is none. */
  link_expires: string | null
  claimed_at: string | null
  last_seen: string | null
  connected: boolean
  agent: string
  remote: string
  revoked_at: string | null
  revoked_by: string
}

export interface NewDisplay {
  name: string
  division: string
  mode: DisplayMode
  start: DisplayStart
}

/** A display with the token of its link, which is given once. */
export interface DisplayLink {
  display: Display
  token: string
}

export interface LinkPreview {
  name: string
  division: string
  division_name: Text
  mode: DisplayMode
  start: DisplayStart
}

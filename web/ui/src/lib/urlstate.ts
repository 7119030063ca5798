// What a link to the page holds, as query parameters. Pure: reading and writing one state.

import type { Language } from '../i18n'
import type { Card } from '../stores/ui'
import type { ThemeName } from '../theme/tokens'

export interface UrlState {
  view: { zoom: number; lon: number; lat: number } | null
  layers: string
  alert: number | null
  card: Card | null
  theme: ThemeName | null
  language: Language | null
  wall: boolean
  /** Letters of the open panels: l, a, t. Null when the link does not say. */
  panels: string | null
}

type Query = Record<string, string | (string | null)[] | null | undefined>

const one = (q: Query, key: string): string => {
  const v = q[key]
  return (Array.isArray(v) ? v[0] : v) ?? ''
}

function parseView(text: string): UrlState['view'] {
  const [zoom, lat, lon, rest] = text.split('/').map(Number)
  if (rest !== undefined || ![zoom, lat, lon].every((n) => n !== undefined && Number.isFinite(n))) return null
  if (Math.abs(lat!) > 85 || Math.abs(lon!) > 180 || zoom! < 0 || zoom! > 24) return null
  return { zoom: zoom!, lon: lon!, lat: lat! }
}

// "device:D-1", or "hazard_zone:20001".
function parseCard(text: string): Card | null {
  const m = /^([a-z][a-z0-9_]{0,62}):([A-Za-z0-9_-]{1,64})$/.exec(text)
  if (!m) return null
  return m[1] === 'device' ? { kind: 'device', id: m[2]! } : { kind: 'feature', layer: m[1]!, id: m[2]! }
}

/** Reads a link. What it cannot read it leaves at its default. */
export function readUrl(q: Query): UrlState {
  const theme = one(q, 'theme')
  const language = one(q, 'lang')
  const alert = one(q, 'alert')
  return {
    view: parseView(one(q, 'v')),
    layers: one(q, 'layers'),
    alert: /^[1-9]\d{0,15}$/.test(alert) ? Number(alert) : null,
    card: parseCard(one(q, 'card')),
    theme: theme === 'dark' || theme === 'light' ? theme : null,
    language: language === 'zh' || language === 'en' ? language : null,
    wall: one(q, 'wall') === '1',
    panels: 'panels' in q ? one(q, 'panels') : null,
  }
}

/** Writes the same, leaving out what is at its default. */
export function writeUrl(s: UrlState): Record<string, string> {
  const q: Record<string, string> = {}
  if (s.view) q.v = `${s.view.zoom.toFixed(2)}/${s.view.lat.toFixed(5)}/${s.view.lon.toFixed(5)}`
  if (s.layers) q.layers = s.layers
  if (s.alert !== null) q.alert = String(s.alert)
  if (s.card) q.card = s.card.kind === 'device' ? `device:${s.card.id}` : `${s.card.layer}:${s.card.id}`
  if (s.theme) q.theme = s.theme
  if (s.language) q.lang = s.language
  if (s.wall) q.wall = '1'
  if (s.panels !== null && s.panels !== 'la') q.panels = s.panels
  return q
}

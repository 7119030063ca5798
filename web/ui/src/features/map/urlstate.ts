// What a link to the command page holds, as query parameters. Pure: reading and writing one state.

import type { Handling, Level } from '@/shared/api/types'
import type { AlertFilter } from '@/features/alerts/alerts'
import { plainDrawer, type Card, type DrawerState } from '@/shared/workspace/ui'
import { linkPrefs, type LinkPrefs } from '@/shared/prefs/prefs'
import type { LonLat } from '@/shared/geo/geo'
import { periodOf } from '@/shared/charts/series'

export interface UrlState {
  view: { zoom: number; lon: number; lat: number } | null
  layers: string
  alert: number | null
  card: Card | null
  /** A place that was looked for: its pin. */
  pin: LonLat | null
  filter: AlertFilter
  drawer: DrawerState
  /** What the page's own link says of language and theme; a choice of the viewer is never written. */
  link: LinkPrefs
  wall: boolean
  /** Letters of the open panels: l, a, t. Null when the link does not say. */
  panels: string | null
}

type Query = Record<string, string | (string | null)[] | null | undefined>

export const plainFilter = (): AlertFilter => ({ levels: [], handling: [], query: '', cleared: true })

/** The hours that the charts offer. */
export const chartHours = [1, 6, 24, 7 * 24, 30 * 24] as const
const handlings: readonly Handling[] = ['new', 'acknowledged', 'assigned', 'resolved', 'closed']
const longest = 100 // characters of a text in a link

const one = (q: Query, key: string): string => {
  const v = q[key]
  return (Array.isArray(v) ? v[0] : v) ?? ''
}

function parseView(text: string): UrlState['view'] {
  const [zoom, lat, lon, rest] = text.split('/').map((part) => (part ? Number(part) : NaN))
  if (rest !== undefined || ![zoom, lat, lon].every((n) => n !== undefined && Number.isFinite(n))) return null
  if (Math.abs(lat!) > 85 || Math.abs(lon!) > 180 || zoom! < 0 || zoom! > 24) return null
  return { zoom: zoom!, lon: lon!, lat: lat! }
}

function parsePin(text: string): LonLat | null {
  const m = /^(-?\d{1,3}(?:\.\d{1,8})?),(-?\d{1,2}(?:\.\d{1,8})?)$/.exec(text)
  if (!m) return null
  const [lon, lat] = [Number(m[1]), Number(m[2])]
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null
}

// "device:D-1", or "hazard_zone:20001".
function parseCard(text: string): Card | null {
  const m = /^([a-z][a-z0-9_]{0,62}):([A-Za-z0-9_-]{1,64})$/.exec(text)
  if (!m) return null
  return m[1] === 'device' ? { kind: 'device', id: m[2]! } : { kind: 'feature', layer: m[1]!, id: m[2]! }
}

function parseFilter(q: Query): AlertFilter {
  return {
    levels: one(q, 'levels').split('.').filter((l) => /^[1-4]$/.test(l)).map((l) => Number(l) as Level),
    handling: one(q, 'handling').split('.').filter((h): h is Handling => (handlings as readonly string[]).includes(h)),
    query: one(q, 'q').slice(0, longest),
    cleared: one(q, 'cleared') !== '0',
  }
}

function parseDrawer(q: Query): DrawerState {
  const plain = plainDrawer()
  const range = one(q, 'range')
  const [from = '', to = ''] = range.split('~')
  const which = one(q, 'devices')
  return {
    tab: one(q, 'tab') === 'table' ? 'table' : plain.tab,
    hours: chartHours.find((h) => range === `${h}h`) ?? plain.hours,
    own: periodOf(from, to) ? { from, to } : null,
    which: which === 'offline' || which === 'all' ? which : plain.which,
    query: one(q, 'find').slice(0, longest),
  }
}

/** Reads a link. What it cannot read it leaves at its default. */
export function readUrl(q: Query): UrlState {
  const alert = one(q, 'alert')
  return {
    view: parseView(one(q, 'v')),
    layers: one(q, 'layers'),
    alert: /^[1-9]\d{0,15}$/.test(alert) ? Number(alert) : null,
    card: parseCard(one(q, 'card')),
    pin: parsePin(one(q, 'pin')),
    filter: parseFilter(q),
    drawer: parseDrawer(q),
    link: linkPrefs(q),
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
  if (s.pin) q.pin = s.pin.map((x) => String(+x.toFixed(6))).join(',')
  if (s.link.theme) q.theme = s.link.theme
  if (s.link.language) q.lang = s.link.language
  if (s.wall) q.wall = '1'
  if (s.panels !== null && s.panels !== 'la') q.panels = s.panels
  return { ...q, ...writeFilter(s.filter), ...writeDrawer(s.drawer) }
}

function writeFilter(f: AlertFilter): Record<string, string> {
  const q: Record<string, string> = {}
  if (f.levels.length) q.levels = [...f.levels].sort().join('.')
  if (f.handling.length) q.handling = handlings.filter((h) => f.handling.includes(h)).join('.')
  if (f.query.trim()) q.q = f.query.trim().slice(0, longest)
  if (!f.cleared) q.cleared = '0'
  return q
}

function writeDrawer(d: DrawerState): Record<string, string> {
  const q: Record<string, string> = {}
  const plain = plainDrawer()
  if (d.tab !== plain.tab) q.tab = d.tab
  if (d.own && periodOf(d.own.from, d.own.to)) q.range = `${d.own.from}~${d.own.to}`
  else if (d.hours !== plain.hours) q.range = `${d.hours}h`
  if (d.which !== plain.which) q.devices = d.which
  if (d.query.trim()) q.find = d.query.trim().slice(0, longest)
  return q
}

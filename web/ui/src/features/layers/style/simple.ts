// The simple form of a layer's style: a few choices, from which a fragment is made, and which are found again in it.

import type { Text } from '@/shared/api/types'
import { clusterCount, clusterCountText, isClusterFeature } from './clusters'
import type { LayerStyle, LegendStyle, StyleLayer, StyleValue, Token } from './fragment'

export type Kind = 'point' | 'line' | 'area'

/** A colour of the theme, or that of the feature's level. */
export type Colour = Token | 'level'

/** The colours that the form offers, in both themes to be told from each other and from the ground. */
export const colours = ['accent', 'ok', 'text', 'muted', 'grey', 'label', 'water', 'waterLabel', 'coast', 'county', 'levels.1', 'levels.2', 'levels.3', 'levels.4', 'level'] as const satisfies readonly Colour[]
export const pointIcons = ['res:shelter', 'res:hospital', 'res:rescue_team', 'res:airport', 'res:port'] as const
export type PointIcon = (typeof pointIcons)[number]

export interface SimpleStyle {
  kind: Kind
  colour: Colour
  /** Of a point; empty: a circle. */
  icon: PointIcon | ''
  /** Radius of a point, pixels. */
  size: number
  /** Of a line, pixels. */
  width: number
  dashed: boolean
  /** Of an area, percent. */
  opacity: number
  /** Of an area; empty: none. */
  outline: Colour | ''
  label: boolean
  /** The words of the legend. */
  text: Text
}

/** The bounds of the form's numbers. */
export const bounds = { size: { min: 2, max: 16 }, width: { min: 0.5, max: 12 }, opacity: { min: 0, max: 100 } } as const

/** What the form can say of a geometry; undefined: of mixed geometries nothing. */
export function kindOf(geometry: string): Kind | undefined {
  const kinds: Record<string, Kind> = { Point: 'point', LineString: 'line', Polygon: 'area' }
  return kinds[geometry.replace('Multi', '')]
}

export const plainStyle = (kind: Kind, text: Text): SimpleStyle => ({
  kind, colour: 'accent', icon: '', size: 5, width: 2, dashed: false, opacity: 30, outline: kind === 'area' ? 'accent' : '', label: kind !== 'line',
  text: { zh: text.zh, en: text.en },
})

const iconRadius = 11 // pixels, at a size of 1
const labelFrom = 11
const font = ['Noto Sans SC']
const halo = { 'text-halo-color': { $token: 'halo' }, 'text-halo-width': 1.4 } as const
const single: StyleValue = ['!', isClusterFeature as unknown as StyleValue]
const cluster = isClusterFeature as unknown as StyleValue

const byLevel: StyleValue = [
  'match', ['get', 'level'], 1, { $token: 'levels.1' }, 2, { $token: 'levels.2' }, 3, { $token: 'levels.3' }, 4, { $token: 'levels.4' }, { $token: 'grey' },
]
const colourValue = (colour: Colour): StyleValue => (colour === 'level' ? byLevel : { $token: colour })

const labelText = { 'text-field': { $name: true }, 'text-font': font, 'text-size': { $scale: 11 } } as const
const labelPaint = { 'text-color': { $token: 'label' }, 'text-opacity': { $opacity: 1 }, ...halo } as const

function clusters(colour: Colour): StyleLayer[] {
  return [
    {
      id: '-cluster', slot: 'points', type: 'circle', clustered: true, filter: cluster,
      paint: {
        'circle-color': { $token: 'panelSolid' },
        'circle-radius': ['interpolate', ['linear'], clusterCount as StyleValue, 2, { $scale: 9 }, 200, { $scale: 15 }],
        'circle-opacity': { $opacity: 0.92 },
        'circle-stroke-color': colourValue(colour),
        'circle-stroke-width': { $scale: 2 },
        'circle-stroke-opacity': { $opacity: 1 },
      },
    },
    {
      id: '-count', slot: 'points', type: 'symbol', clustered: true, filter: cluster,
      layout: { 'text-field': clusterCountText as StyleValue, 'text-font': font, 'text-size': { $scale: 10 }, 'text-allow-overlap': true },
      paint: { 'text-color': { $token: 'text' }, 'text-opacity': { $opacity: 1 } },
    },
  ]
}

function point(s: SimpleStyle): StyleLayer[] {
  const mark: StyleLayer = s.icon
    ? {
        id: '-icon', slot: 'points', type: 'symbol', filter: single,
        layout: { 'icon-image': { $icon: s.icon }, 'icon-size': { $scale: Math.round((s.size / iconRadius) * 100) / 100 }, 'icon-allow-overlap': true },
        paint: { 'icon-opacity': { $opacity: 1 } },
      }
    : {
        id: '-point', slot: 'points', type: 'circle', filter: single,
        paint: {
          'circle-color': colourValue(s.colour),
          'circle-radius': { $scale: s.size },
          'circle-opacity': { $opacity: 0.9 },
          'circle-stroke-color': { $token: 'halo' },
          'circle-stroke-width': 1,
          'circle-stroke-opacity': { $opacity: 1 },
        },
      }
  const label: StyleLayer = {
    id: '-label', slot: 'points', type: 'symbol', minzoom: labelFrom, filter: single,
    layout: { ...labelText, 'text-offset': [0, 1], 'text-anchor': 'top', 'text-optional': true },
    paint: labelPaint,
  }
  return [mark, ...clusters(s.colour), ...(s.label ? [label] : [])]
}

const stroke = (slot: 'lines' | 'areas', colour: Colour, width: number, dashed: boolean): StyleLayer => ({
  id: '-line', slot, type: 'line',
  layout: { 'line-join': 'round' },
  paint: { 'line-color': colourValue(colour), 'line-opacity': { $opacity: 1 }, 'line-width': { $scale: width }, ...(dashed ? { 'line-dasharray': [4, 3] } : {}) },
})

function line(s: SimpleStyle): StyleLayer[] {
  const label: StyleLayer = {
    id: '-label', slot: 'labels', type: 'symbol', minzoom: labelFrom,
    layout: { ...labelText, 'symbol-placement': 'line' },
    paint: labelPaint,
  }
  return [stroke('lines', s.colour, s.width, s.dashed), ...(s.label ? [label] : [])]
}

function area(s: SimpleStyle): StyleLayer[] {
  const fill: StyleLayer = { id: '-fill', slot: 'areas', type: 'fill', paint: { 'fill-color': colourValue(s.colour), 'fill-opacity': { $opacity: s.opacity / 100 } } }
  const label: StyleLayer = {
    id: '-name', slot: 'names', type: 'symbol', labels: true, minzoom: labelFrom,
    layout: { ...labelText, 'text-max-width': 8, 'text-padding': 6 },
    paint: labelPaint,
  }
  return [fill, ...(s.outline ? [stroke('areas', s.outline, 1.4, false)] : []), ...(s.label ? [label] : [])]
}

function legend(s: SimpleStyle): LegendStyle[] {
  if (s.icon) return [{ icon: s.icon, text: s.text }]
  if (s.colour === 'level') return [{ levels: 'swatch' }]
  const swatch = s.kind === 'point' ? 'circle' : s.kind === 'area' ? 'fill' : s.dashed ? 'dashed' : 'line'
  const outline = s.outline && s.outline !== 'level' ? { outline: s.outline } : {}
  return [{ swatch, color: s.colour, ...(s.kind === 'area' ? outline : {}), text: s.text }]
}

/** The fragment of the form's choices. */
export function simpleFragment(s: SimpleStyle): LayerStyle {
  return { legend: legend(s), layers: s.kind === 'point' ? point(s) : s.kind === 'line' ? line(s) : area(s) }
}

/** A JSON value as text, its members sorted: equal values are equal texts. */
export function sortedJSON(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item && typeof item === 'object' && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  )
}

type Dictionary = Readonly<Record<string, StyleValue>>
const partOf = (style: LayerStyle, ...ids: string[]) => style.layers.find((part) => ids.includes(part.id))
const numberIn = (part: Dictionary | undefined, name: string, key: '$scale' | '$opacity') => (part?.[name] as Record<string, number> | undefined)?.[key]

function colourIn(part: Dictionary | undefined, name: string): Colour | undefined {
  const value = part?.[name]
  if (Array.isArray(value)) return 'level'
  return (value as { $token?: Colour } | undefined)?.$token
}

function legendText(style: LayerStyle, other: Text): Text {
  const row = style.legend?.[0]
  return row && 'text' in row && typeof row.text === 'object' ? row.text : other
}

/** The choices that a fragment was made of; undefined when the form did not make it. */
export function simpleOf(style: LayerStyle, kind: Kind, title: Text): SimpleStyle | undefined {
  const plain = plainStyle(kind, title)
  const main = style.layers[0]
  const iconSize = numberIn(main?.layout, 'icon-size', '$scale')
  const guess: SimpleStyle = {
    ...plain,
    colour: colourIn(main?.paint, `${main?.type}-color`) ?? colourIn(partOf(style, '-cluster')?.paint, 'circle-stroke-color') ?? plain.colour,
    icon: (main?.layout?.['icon-image'] as { $icon?: PointIcon } | undefined)?.$icon ?? '',
    size: iconSize === undefined ? (numberIn(main?.paint, 'circle-radius', '$scale') ?? plain.size) : Math.round(iconSize * iconRadius),
    width: numberIn(main?.paint, 'line-width', '$scale') ?? plain.width,
    dashed: main?.paint?.['line-dasharray'] !== undefined,
    opacity: Math.round((numberIn(main?.paint, 'fill-opacity', '$opacity') ?? 0) * 100),
    outline: kind === 'area' ? (colourIn(partOf(style, '-line')?.paint, 'line-color') ?? '') : '',
    label: partOf(style, '-label', '-name') !== undefined,
    text: legendText(style, plain.text),
  }
  if (kind !== 'area') guess.opacity = plain.opacity
  return sortedJSON(simpleFragment(guess)) === sortedJSON(style) ? guess : undefined
}

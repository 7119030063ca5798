// How a layer of the catalogue is drawn, as data: MapLibre style layers with placeholders for what the reader's page decides,
// and the rows of the legend. The renderer makes style layers of it. It knows no layer by name.

import type { LayerSpecification } from 'maplibre-gl'
import type { Layer, Level } from '@/shared/api/types'
import { levels } from '@/shared/format/levels'
import type { MessageKey } from '@/shared/i18n'
import type { ThemeName, Tokens } from '@/shared/theme/tokens'
import { visibility, type StyleContext } from './style-context'

/** Where on the map a style layer lies, the lowest first. Alert areas lie above the lines, devices above all. */
export const slots = ['ground', 'areas', 'lines', 'labels', 'names', 'points', 'markers', 'risks', 'titles'] as const
export type Slot = (typeof slots)[number]

/** What stands for a value in a style. An object with any other key is MapLibre's own. */
export type Placeholder =
  /** A colour of the theme; "levels.1" is an item of a list. */
  | { $token: string }
  /** The number, times the size of text and symbols: 1 on a desk, 2 on a wall. */
  | { $scale: number }
  /** The number, times the opacity that the reader has set for the layer. */
  | { $opacity: number }
  /** An icon of the theme, by the name that icons.ts draws. */
  | { $icon: string }
  /** The expression of a feature's name in the reader's language. */
  | { $name: true }

export type StyleValue = string | number | boolean | Placeholder | readonly StyleValue[] | { readonly [key: string]: StyleValue }

/** A MapLibre style layer without its source: its id is the catalogue layer's name with this ending. */
export interface StyleLayer {
  readonly id: string
  readonly slot: Slot
  readonly type: 'fill' | 'line' | 'circle' | 'symbol'
  /** Only where the server draws points that stand close as one. */
  readonly clustered?: true
  /** Of the label points that come with the tiles of an area. */
  readonly labels?: true
  readonly minzoom?: number
  readonly filter?: StyleValue
  readonly layout?: { readonly [property: string]: StyleValue }
  readonly paint?: { readonly [property: string]: StyleValue }
}

/** A row of the legend: an icon or a swatch, and its words. A row of levels stands for four. */
export type LegendStyle =
  | { readonly levels: 'icon'; readonly icon: string }
  | { readonly levels: 'swatch' }
  | { readonly icon: string }
  | { readonly swatch: string; readonly text: MessageKey }
  /** A sentence across the legend. */
  | { readonly note: MessageKey }

export interface LayerStyle {
  /** Background of everything: such layers share sources, and have names from layers of their own. */
  readonly base?: true
  /** The zoom from which it is drawn, where the catalogue's is lower. */
  readonly from?: number
  readonly legend?: readonly LegendStyle[]
  readonly layers: readonly StyleLayer[]
}

const polygons = ['Polygon', 'MultiPolygon']
export const labelName = (layer: string) => `${layer}.label`
/** Base layers are named by points of their own; of the other layers of areas the server gives label points. */
export const hasLabels = (layer: Layer, style: LayerStyle | undefined) => polygons.includes(layer.geometry_type) && !style?.base

/** Whether the server draws points of the layer that stand close as one. */
export const isClustered = (layer: Layer) => (layer.tile.cluster?.cell ?? 0) > 0

function tokenOf(tokens: Tokens, path: string): unknown {
  const [name = '', index] = path.split('.')
  const value = tokens[name as keyof Tokens]
  const found = index === undefined ? value : (value as readonly string[])[Number(index)]
  if (typeof found !== 'string') throw new Error(`a style names the colour ${path}, which no theme has`)
  return found
}

/** Puts values for placeholders; what is none is kept as it is. */
export function fillIn(value: StyleValue, c: StyleContext, layer: string): unknown {
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item: StyleValue) => fillIn(item, c, layer))
  if ('$token' in value) return tokenOf(c.t, value.$token as string)
  if ('$scale' in value) return (value.$scale as number) * c.scale
  if ('$opacity' in value) return (value.$opacity as number) * c.opacity(layer)
  if ('$icon' in value) return iconOf(c.theme, value.$icon as string)
  if ('$name' in value) return c.name
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, c, layer)]))
}

const iconOf = (theme: ThemeName, icon: string) => `om:${theme}:${icon}`

/** The style layers of one layer of the catalogue, with their slots. */
export function renderLayer(layer: Layer, style: LayerStyle, c: StyleContext): { slot: Slot; layer: LayerSpecification }[] {
  return style.layers
    .filter((part) => !part.clustered || isClustered(layer))
    .map((part) => {
      const { id, slot, type, labels } = part
      const own: [string, StyleValue | undefined][] = Object.entries(part)
      const rest = own.filter(([key]) => !['id', 'slot', 'type', 'labels', 'clustered'].includes(key)) as [string, StyleValue][]
      const from = { id: `${layer.name}${id}`, type, source: c.source(layer.name), 'source-layer': labels ? labelName(layer.name) : layer.name }
      const shown = { visibility: visibility(c.on(layer.name)) }
      const layout = { ...shown, ...(fillIn((part.layout ?? {}) as StyleValue, c, layer.name) as object) }
      return { slot, layer: { ...from, ...filled(rest, layout, (value) => fillIn(value, c, layer.name)) } as unknown as LayerSpecification }
    })
}

// Members stand in the order in which the style has them, so that a style can be compared as text; a layout that it does not
// have comes before the paint.
function filled(members: [string, StyleValue][], layout: object, fill: (value: StyleValue) => unknown): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const [key, value] of members) {
    if (key === 'paint') made.layout ??= layout
    made[key] = key === 'layout' ? layout : fill(value)
  }
  made.layout ??= layout
  return made
}

export interface LegendRow {
  icon?: string
  swatch?: string
  level?: Level
  text?: MessageKey
}

/** The rows of a layer's legend, and the sentences below them. */
export function legendOf(style: LayerStyle | undefined, theme: ThemeName): { rows: LegendRow[]; notes: MessageKey[] } {
  const rows: LegendRow[] = []
  const notes: MessageKey[] = []
  for (const entry of style?.legend ?? []) {
    if ('note' in entry) notes.push(entry.note)
    else if ('levels' in entry) {
      rows.push(...levels.map((level) => (entry.levels === 'icon' ? { icon: iconOf(theme, `${entry.icon}:${level}`), level } : { swatch: `level-${level}`, level })))
    } else if ('icon' in entry) rows.push({ icon: iconOf(theme, entry.icon) })
    else rows.push({ swatch: entry.swatch, text: entry.text })
  }
  return { rows, notes }
}

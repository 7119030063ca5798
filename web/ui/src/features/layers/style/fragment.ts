// A style fragment: how one layer of the catalogue is drawn, as data. It has MapLibre style layers with placeholders for what
// the reader's page decides, and the rows of the legend. docs/data.md describes it; the server checks what a steward writes.

import type { Level, Text } from '@/shared/api/types'
import { limits } from '@/shared/api/limits.gen'
import { levels } from '@/shared/format/levels'
import type { MessageKey } from '@/shared/i18n'
import type { ThemeName, Tokens } from '@/shared/theme/tokens'
import { tokens } from '@/shared/theme/tokens'
import { sampleOf, type Sample } from './sample'

/** Where on the map a style layer lies, the lowest first. Alert areas lie above the lines, devices above all. */
export const slots = limits.StyleLayer.slot.enum
export type Slot = (typeof slots)[number]

/** The names of the themes' colours; "levels.1" is an item of a list. */
export const tokenNames = limits.LegendRow.color.enum
export type Token = (typeof tokenNames)[number]

/** What stands for a value in a style. An object with any other key is MapLibre's own. */
export type Placeholder =
  /** A colour of the theme. */
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

/** Words of the legend: a message of the page in a built-in style, a text in a fragment of the catalogue. */
export type LegendWords = MessageKey | Text

/** A row of the legend: an icon or a sample of a colour, and its words. A row of levels stands for four. */
export type LegendStyle =
  | { readonly levels: 'icon'; readonly icon: string }
  | { readonly levels: 'swatch' }
  | { readonly icon: string; readonly text?: LegendWords }
  | { readonly swatch: 'fill' | 'line' | 'dashed' | 'circle'; readonly color: string; readonly outline?: string; readonly text: LegendWords }
  /** A sentence across the legend. */
  | { readonly note: LegendWords }

export interface LayerStyle {
  /** Background of everything: such layers share sources, and have names from layers of their own. Only built-in styles have it. */
  readonly base?: true
  /** The zoom from which it is drawn, where the catalogue's is lower. */
  readonly from?: number
  readonly legend?: readonly LegendStyle[]
  readonly layers: readonly StyleLayer[]
}

/** What the placeholders stand for on one page. */
export interface FillContext {
  theme: ThemeName
  t: Tokens
  scale: number
  opacity: (layer: string) => number
  /** The expression of a feature's name. */
  name: unknown[]
}

/** The colour of a token. A name that no theme has is an error. */
export function colourOf(theme: Tokens, path: string): string {
  const [name = '', index] = path.split('.')
  const value = theme[name as keyof Tokens]
  const found = index === undefined ? value : (value as readonly string[])[Number(index)]
  if (typeof found !== 'string') throw new Error(`a style names the colour ${path}, which no theme has`)
  return found
}

/** Puts values for placeholders; what is none is kept as it is. */
export function fillIn(value: StyleValue, c: FillContext, layer: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: StyleValue) => fillIn(item, c, layer))
  if ('$token' in value) return colourOf(c.t, value.$token as string)
  if ('$scale' in value) return (value.$scale as number) * c.scale
  if ('$opacity' in value) return (value.$opacity as number) * c.opacity(layer)
  if ('$icon' in value) return iconOf(c.theme, value.$icon as string)
  if ('$name' in value) return c.name
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, c, layer)]))
}

export const iconOf = (theme: ThemeName, icon: string) => `om:${theme}:${icon}`

export interface LegendRow {
  icon?: string
  sample?: Sample
  level?: Level
  text?: LegendWords
}

/** The rows of a layer's legend, and the sentences below them. */
export function legendOf(style: LayerStyle | undefined, theme: ThemeName): { rows: LegendRow[]; notes: LegendWords[] } {
  const rows: LegendRow[] = []
  const notes: LegendWords[] = []
  const colour = (token: string) => colourOf(tokens[theme], token)
  for (const entry of style?.legend ?? []) {
    if ('note' in entry) notes.push(entry.note)
    else if ('levels' in entry) {
      rows.push(...levels.map((level) => (entry.levels === 'icon' ? { icon: iconOf(theme, `${entry.icon}:${level}`), level } : { sample: sampleOf('outline', colour(`levels.${level}`)), level })))
    } else if ('icon' in entry) rows.push({ icon: iconOf(theme, entry.icon), text: entry.text })
    else rows.push({ sample: sampleOf(entry.swatch, colour(entry.color), entry.outline && colour(entry.outline)), text: entry.text })
  }
  return { rows, notes }
}

// What the parts of the style share: their input, and which layers are which.

import type { LayerSetting } from '@/features/layers/layers'
import type { Layer } from '@/shared/api/types'
import type { Language } from '@/shared/i18n'
import type { ThemeName, tokens } from '@/shared/theme/tokens'

export interface FontFace {
  url: string
  'unicode-range': string[]
}

export interface StyleInput {
  theme: ThemeName
  language: Language
  layers: Layer[]
  settings: Record<string, LayerSetting>
  /** What the tiles are below, as "https://host/" or "https://host/onemap/". */
  address: string
  /** Text and icons are this much larger: 1 on a desk, 2 on a wall. */
  scale?: number
  /** Changes are drawn at once, without a fade. */
  still?: boolean
  /** Only where no Chinese font is installed: the shipped one, by unicode range. */
  fontFaces?: FontFace[]
}

/** What the parts of the style are made from. */
export interface StyleContext extends StyleInput {
  t: (typeof tokens)[ThemeName]
  scale: number
  has: (layer: string) => boolean
  on: (layer: string) => boolean
  opacity: (layer: string) => number
  source: (layer: string) => string
  name: unknown[]
}

export const fontStack = ['Noto Sans SC']

/** Layers that are the background of everything; they share sources, so that a view needs few requests. */
export const baseNames = ['land_surroundings', 'land', 'urban', 'coast', 'sea', 'river', 'county', 'county_point', 'town', 'place', 'airport', 'port']
/** Switches of the layer tree that are no layers of the catalogue. */
export const liveNames = ['@devices', '@areas']
export const resourceNames = ['shelter', 'hospital', 'rescue_team']


/** Whether the server draws points of the layer that stand close as one. */
export const isClustered = (layer: Layer) => (layer.tile.cluster?.cell ?? 0) > 0

const polygons = ['Polygon', 'MultiPolygon']
/** Base layers are named by points of their own; of the other layers of areas the server gives label points. */
export const isLabelled = (layer: Layer) => polygons.includes(layer.geometry_type) && !baseNames.includes(layer.name)
export const labelName = (layer: string) => `${layer}.label`

/** How many zoom levels tiles are made for; beyond it they are overzoomed: nothing in them gets finer. */
export const deepest = 14

export const visibility = (on: boolean) => (on ? 'visible' : 'none') as 'visible' | 'none'

const resourcesFrom = 8

/** The zoom from which a layer is drawn: facilities when they do not cover each other. */
export function drawnFrom(l: Layer): number {
  const own: Record<string, number> = { shelter: resourcesFrom, hospital: resourcesFrom, rescue_team: resourcesFrom, airport: 7, port: 7, town: 9, place: 10 }
  return Math.max(l.min_zoom, own[l.name] ?? 0)
}

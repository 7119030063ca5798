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
  on: (layer: string) => boolean
  opacity: (layer: string) => number
  source: (layer: string) => string
  name: unknown[]
}

export const fontStack = ['Noto Sans SC']

/** How many zoom levels tiles are made for; beyond it they are overzoomed: nothing in them gets finer. */
export const deepest = 14

export const visibility = (on: boolean) => (on ? 'visible' : 'none') as 'visible' | 'none'

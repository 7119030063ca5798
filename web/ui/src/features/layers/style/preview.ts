// What a fragment looks like, as far as a small picture can tell: of a value that depends on the feature or the zoom, the
// first colour.

import { tokens, type ThemeName, type Tokens } from '@/shared/theme/tokens'
import { colourOf, iconOf, type LayerStyle, type StyleLayer, type StyleValue } from './fragment'
import type { Sample } from './sample'

const isColour = /^(#|rgba?\(|hsla?\()/

function firstColour(value: StyleValue | undefined, theme: Tokens): string | undefined {
  if (typeof value === 'string') return isColour.test(value) ? value : undefined
  if (Array.isArray(value)) return value.map((item: StyleValue) => firstColour(item, theme)).find(Boolean)
  const token = (value as { $token?: string } | undefined)?.$token
  return token === undefined ? undefined : colourOf(theme, token)
}

function numberOf(value: StyleValue | undefined): number | undefined {
  if (typeof value === 'number') return value
  const { $scale, $opacity } = (value ?? {}) as { $scale?: number; $opacity?: number }
  return $scale ?? $opacity
}

function firstIcon(part: StyleLayer | undefined): string | undefined {
  const icon = (part?.layout?.['icon-image'] as { $icon?: string } | undefined)?.$icon
  return icon?.endsWith(':') ? `${icon}1` : icon
}

export interface Preview {
  icon?: string
  sample?: Sample
}

/** The picture of a fragment; empty where there is none. */
export function previewOf(style: LayerStyle, theme: ThemeName): Preview {
  const own = style.layers.filter((part) => !part.clustered)
  const of = (type: StyleLayer['type']) => own.find((part) => part.type === type)
  const icon = firstIcon(own.find((part) => firstIcon(part)))
  if (icon) return { icon: iconOf(theme, icon) }
  const t = tokens[theme]
  const [fill, line, circle] = [of('fill')?.paint, of('line')?.paint, of('circle')?.paint]
  if (circle) {
    const width = numberOf(circle['circle-stroke-width'])
    return { sample: { form: 'circle', fill: firstColour(circle['circle-color'], t), fillOpacity: numberOf(circle['circle-opacity']), stroke: firstColour(circle['circle-stroke-color'], t), width } }
  }
  const stroke = line && { stroke: firstColour(line['line-color'], t), width: numberOf(line['line-width']) ?? 1, dashed: line['line-dasharray'] !== undefined }
  if (fill) return { sample: { form: 'area', fill: firstColour(fill['fill-color'], t), fillOpacity: numberOf(fill['fill-opacity']), ...stroke } }
  return stroke ? { sample: { form: 'line', ...stroke } } : {}
}

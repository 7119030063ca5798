// What of a fragment MapLibre could not draw: it checks expressions and the names and values of properties, which the server
// does not. It comes with MapLibre's style specification, so it is loaded when a layer has a style of its own.

import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { tokens } from '@/shared/theme/tokens'
import { fillIn, type FillContext, type LayerStyle, type StyleValue } from './fragment'

const like: FillContext = { theme: 'dark', t: tokens.dark, scale: 1, opacity: () => 1, name: ['get', 'name_zh'] }

/** What is wrong, with its path in the fragment. MapLibre says it in English. */
export interface StyleFault {
  /** As the server writes it: style.layers[2].paint.fill-color. */
  path: string
  detail: string
}

const faultOf = (message: string): StyleFault => {
  const [, path = '', detail = ''] = /^(\S+): (.*)$/s.exec(message) ?? []
  return path ? { path: `style.${path}`, detail } : { path: 'style', detail: message }
}

/** The faults of a fragment; empty: MapLibre draws it. A fragment that has not the form of one throws: the server says why. */
export function styleFaults(style: LayerStyle): StyleFault[] {
  const layers = style.layers.map((part) => ({
    id: `x${part.id}`,
    type: part.type,
    source: 'x',
    'source-layer': 'x',
    ...(part.minzoom === undefined ? {} : { minzoom: part.minzoom }),
    ...(part.filter === undefined ? {} : { filter: fillIn(part.filter, like, '') }),
    layout: fillIn((part.layout ?? {}) as StyleValue, like, ''),
    paint: fillIn((part.paint ?? {}) as StyleValue, like, ''),
  }))
  const whole = { version: 8, sources: { x: { type: 'vector', tiles: ['https://map.example/{z}/{x}/{y}'] } }, layers }
  return validateStyleMin(whole as never).map((fault) => faultOf(fault.message))
}

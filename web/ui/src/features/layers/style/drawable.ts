// One style that MapLibre refuses would leave the whole map empty: a layer with such a style is drawn in the built-in one.

import type { Layer } from '@/shared/api/types'
import type { LayerStyle } from './fragment'

type Faults = (style: LayerStyle) => unknown[]
const known = new Map<string, boolean>()

function drawable(layer: Layer, faultsOf: Faults): boolean {
  const text = JSON.stringify(layer.style)
  let found = known.get(text)
  if (found !== undefined) return found
  let faults: unknown[]
  try {
    faults = faultsOf(layer.style as LayerStyle)
  } catch (cause) {
    faults = [cause]
  }
  found = faults.length === 0
  known.set(text, found)
  if (!found) console.warn(`the style of the layer ${layer.name} cannot be drawn:`, faults)
  return found
}

/** The layers; those with a style that cannot be drawn are there without it. */
export async function withDrawableStyles(layers: Layer[]): Promise<Layer[]> {
  if (!layers.some((l) => l.style)) return layers
  const { styleFaults } = await import('./check')
  return layers.map((layer) => (!layer.style || drawable(layer, styleFaults) ? layer : { ...layer, style: undefined }))
}

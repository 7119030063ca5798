// Makes MapLibre style layers of the style of a catalogue layer. It knows no layer by name.

import type { LayerSpecification } from 'maplibre-gl'
import { fillIn, type LayerStyle, type Slot, type StyleLayer, type StyleValue } from '@/features/layers/style/fragment'
import type { Layer } from '@/shared/api/types'
import { fontStack, visibility, type StyleContext } from './style-context'

const polygons = ['Polygon', 'MultiPolygon']
export const labelName = (layer: string) => `${layer}.label`
/**
 * Whether a layer needs the label points that the server gives for areas. Built-in styles have names on all areas but the base
 * layers, which are named by points of their own; a style of the catalogue has them where it says so.
 */
export function hasLabels(layer: Layer, style: LayerStyle | undefined): boolean {
  if (!polygons.includes(layer.geometry_type)) return false
  return layer.style ? (style?.layers.some((part) => part.labels) ?? false) : !style?.base
}

/** Whether the server draws points of the layer that stand close as one. */
export const isClustered = (layer: Layer) => (layer.tile.cluster?.cell ?? 0) > 0

// The map has one font: MapLibre's own default is none that it could draw.
const fontOf = (part: StyleLayer) => (part.layout?.['text-field'] !== undefined && part.layout['text-font'] === undefined ? { 'text-font': fontStack } : {})

/** The style layers of one layer of the catalogue, with their slots. */
export function renderLayer(layer: Layer, style: LayerStyle, c: StyleContext): { slot: Slot; layer: LayerSpecification }[] {
  return style.layers
    .filter((part) => !part.clustered || isClustered(layer))
    .map((part) => {
      const { id, slot, type, labels } = part
      const own: [string, StyleValue | undefined][] = Object.entries(part)
      const rest = own.filter(([key]) => !['id', 'slot', 'type', 'labels', 'clustered'].includes(key)) as [string, StyleValue][]
      const from = { id: `${layer.name}${id}`, type, source: c.source(layer.name), 'source-layer': labels ? labelName(layer.name) : layer.name }
      const shown = { visibility: visibility(c.on(layer.name)), ...fontOf(part) }
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

// The map's style is a pure function of theme, language and what is switched on. It names no glyphs
// and no sprite: text is drawn from local fonts, icons by icons.ts. How a layer of the catalogue is drawn is data:
// layer-themes.ts.

import type { LayerSpecification, SourceSpecification, StyleSpecification } from 'maplibre-gl'
import type { Layer } from '@/shared/api/types'
import { tokens } from '@/shared/theme/tokens'
import { hasLabels, labelName, renderLayer } from './layer-style'
import { areaNames, baseNames, builtIn, styleOf } from './layer-themes'
import { deviceClusterProperties } from './style-device-clusters'
import { alertLayers, deviceLayers } from './style-live'
import { deepest, fontStack, type StyleContext, type StyleInput } from './style-context'
import type { LayerSetting } from '@/features/layers/layers'
import { slots, type LayerStyle, type Slot } from '@/features/layers/style/fragment'

export const empty = { type: 'FeatureCollection' as const, features: [] }

/** From this zoom on every device is drawn by itself. */
export const standsAlone = 12

const defaultSetting: LayerSetting = { visible: true, opacity: 1 }

export function setting(input: Pick<StyleInput, 'settings'>, layer: string): LayerSetting {
  return input.settings[layer] ?? defaultSetting
}

function tileSource(layers: Layer[], address: string): SourceSpecification {
  const names = layers.flatMap((l) => (hasLabels(l, styleOf(l)) ? [l.name, labelName(l.name)] : [l.name])).join(',')
  const attribution = [...new Set(layers.map((l) => l.attribution).filter(Boolean))].join(' · ')
  return {
    type: 'vector',
    tiles: [`${address}tiles/${names}/{z}/{x}/{y}.mvt`],
    minzoom: Math.min(...layers.map((l) => l.min_zoom)),
    maxzoom: Math.min(deepest, Math.max(1, ...layers.map((l) => l.max_zoom))),
    ...(attribution ? { attribution } : {}),
  }
}

/** Which source holds which layers: base layers together where their deepest zoom is the same. */
export function sourceGroups(layers: Layer[]): Map<string, Layer[]> {
  const groups = new Map<string, Layer[]>()
  for (const layer of layers) {
    const key = baseNames.includes(layer.name) ? `base-${Math.min(deepest, layer.max_zoom)}` : `tiles-${layer.name}`
    groups.set(key, [...(groups.get(key) ?? []), layer])
  }
  return groups
}

function sources(input: StyleInput): Record<string, SourceSpecification> {
  const all: Record<string, SourceSpecification> = {}
  for (const [key, layers] of sourceGroups(input.layers)) all[key] = tileSource(layers, input.address)
  all.devices = {
    type: 'geojson',
    data: empty,
    cluster: true,
    clusterRadius: 46 * (input.scale ?? 1),
    clusterMaxZoom: standsAlone - 1,
    clusterProperties: deviceClusterProperties,
  }
  all['alert-areas'] = { type: 'geojson', data: empty }
  all.selection = { type: 'geojson', data: empty }
  all.measure = { type: 'geojson', data: empty }
  return all
}

// A name in the language shown, else in the other one; tiles carry an empty one as ''.
function nameExpression(language: StyleInput['language']): unknown[] {
  const [first, second] = language === 'en' ? ['name_en', 'name_zh'] : ['name_zh', 'name_en']
  const text = (key: string) => ['coalesce', ['get', key], '']
  return ['case', ['!=', text(first), ''], ['to-string', ['get', first]], ['to-string', text(second)]]
}

/** What the catalogue's layers are drawn with, by slot: built-in layers in their own order, then the others as the catalogue has them. */
function catalogueLayers(c: StyleContext): Record<Slot, LayerSpecification[]> {
  const all = Object.fromEntries(slots.map((slot) => [slot, [] as LayerSpecification[]])) as Record<Slot, LayerSpecification[]>
  const place = new Map(Object.keys(builtIn).map((name, i) => [name, i]))
  const byPlace = [...c.layers].sort((a, b) => (place.get(a.name) ?? place.size) - (place.get(b.name) ?? place.size))
  const draw = (layer: Layer, style: LayerStyle | undefined) => {
    if (style) for (const made of renderLayer(layer, style, c)) all[made.slot].push(made.layer)
  }
  for (const layer of byPlace) draw(layer, styleOf(layer))
  for (const layer of c.layers) if (!layer.style && hasLabels(layer, styleOf(layer))) draw(layer, areaNames)
  return all
}

/** The whole style. */
export function buildStyle(input: StyleInput): StyleSpecification {
  const groups = sourceGroups(input.layers)
  const sourceOf = new Map([...groups].flatMap(([key, layers]) => layers.map((l) => [l.name, key] as const)))
  const language = input.language
  const context: StyleContext = {
    ...input,
    scale: input.scale ?? 1,
    t: tokens[input.theme],
    on: (layer) => setting(input, layer).visible,
    opacity: (layer) => setting(input, layer).opacity,
    source: (layer) => sourceOf.get(layer) ?? '',
    name: nameExpression(language),
  }
  const of = catalogueLayers(context)
  const layers: LayerSpecification[] = [
    { id: 'sea', type: 'background', paint: { 'background-color': context.t.sea } },
    ...of.ground,
    ...of.areas,
    ...of.lines,
    ...alertLayers(context),
    ...of.labels,
    ...of.names,
    ...of.points,
    ...of.markers,
    ...of.risks,
    ...of.titles,
    ...deviceLayers(context),
  ]
  return {
    version: 8,
    name: `onemap ${input.theme} ${input.language}`,
    sources: sources(input),
    layers,
    ...(input.fontFaces?.length ? { 'font-faces': { [fontStack[0]!]: input.fontFaces } } : {}),
    transition: { duration: input.still ? 0 : 200, delay: 0 },
  } as StyleSpecification
}

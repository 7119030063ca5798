import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { expect, test } from 'vitest'
import { fillIn, legendOf, slots, type LayerStyle, type StyleValue } from '@/features/layers/style/fragment'
import { simpleFragment, plainStyle } from '@/features/layers/style/simple'
import type { Layer } from '@/shared/api/types'
import { aLayer } from '@/shared/testing/fixtures'
import { tokens } from '@/shared/theme/tokens'
import { parseIcon } from '@/shared/map/icons'
import { hasLabels, isClustered, renderLayer } from './layer-style'
import { baseNames, builtIn, byGeometry, drawnFrom, styleOf } from './layer-themes'
import type { StyleContext } from './style-context'

const context = (over: Partial<StyleContext> = {}): StyleContext => ({
  theme: 'dark', language: 'zh', layers: [], settings: {}, address: '', scale: 1, t: tokens.dark, on: () => true, opacity: () => 1,
  source: (layer) => `tiles-${layer}`, name: ['get', 'name_zh'], ...over,
})

test('placeholders stand for what the reader’s page decides, everything else is MapLibre’s own', () => {
  const c = context({ scale: 2, theme: 'light', t: tokens.light, opacity: (layer) => (layer === 'faint' ? 0.5 : 1) })
  const fill = (value: StyleValue) => fillIn(value, c, 'faint')
  expect(fill({ $token: 'water' })).toBe(tokens.light.water)
  expect(fill({ $token: 'levels.2' })).toBe(tokens.light.levels[2])
  expect(fill({ $scale: 1.5 })).toBe(3)
  expect(fill({ $opacity: 0.4 })).toBe(0.2)
  expect(fill({ $icon: 'res:port' })).toBe('om:light:res:port')
  expect(fill({ $name: true })).toEqual(['get', 'name_zh'])
  expect(fill(['match', ['get', 'x'], 1, { $scale: 1 }, { $token: 'grey' }])).toEqual(['match', ['get', 'x'], 1, 2, tokens.light.grey])
  expect(fill(['format', 'a', { 'font-scale': { $scale: 0.5 } }])).toEqual(['format', 'a', { 'font-scale': 1 }])
  expect([fill('x'), fill(0), fill(false)]).toEqual(['x', 0, false])
})

test('a colour that no theme has is an error, not a hole in the map', () => {
  expect(() => fillIn({ $token: 'pink' }, context(), '')).toThrow('pink')
  expect(() => fillIn({ $token: 'levels.9' }, context(), '')).toThrow('levels.9')
  expect(() => fillIn({ $token: 'levels' }, context(), '')).toThrow('levels')
})

const fragment: LayerStyle = {
  layers: [
    { id: '', slot: 'areas', type: 'fill', minzoom: 3, filter: ['has', 'x'], paint: { 'fill-color': { $token: 'land' } } },
    { id: '-dots', slot: 'points', type: 'circle', clustered: true, layout: {}, paint: { 'circle-radius': { $scale: 3 } } },
    { id: '-words', slot: 'names', type: 'symbol', labels: true, layout: { 'text-field': { $name: true } } },
  ],
}

test('a fragment becomes style layers of the layer’s source, in its members’ order', () => {
  const made = renderLayer(aLayer('pond', { geometry_type: 'Polygon' }), fragment, context({ on: () => false }))
  expect(made.map((m) => m.slot)).toEqual(['areas', 'names'])
  expect(JSON.stringify(made[0]!.layer)).toBe(
    JSON.stringify({ id: 'pond', type: 'fill', source: 'tiles-pond', 'source-layer': 'pond', minzoom: 3, filter: ['has', 'x'], layout: { visibility: 'none' }, paint: { 'fill-color': tokens.dark.land } }),
  )
  expect(made[1]!.layer).toMatchObject({ id: 'pond-words', 'source-layer': 'pond.label', layout: { visibility: 'none', 'text-field': ['get', 'name_zh'] } })
})

test('what is for clusters is drawn where the server makes some', () => {
  const clustered = aLayer('pond', { tile: { cluster: { cell: 256, to_zoom: 9 } } })
  expect(isClustered(clustered)).toBe(true)
  expect(isClustered(aLayer('pond', { tile: { cluster: { cell: 0, to_zoom: 0 } } }))).toBe(false)
  expect(renderLayer(clustered, fragment, context()).map((m) => m.layer.id)).toEqual(['pond', 'pond-dots', 'pond-words'])
  expect(renderLayer(aLayer('pond'), fragment, context()).map((m) => m.layer.id)).toEqual(['pond', 'pond-words'])
})

test('a style does not change what it was made of', () => {
  const before = JSON.stringify(builtIn)
  for (const [name, style] of Object.entries(builtIn)) renderLayer(aLayer(name), style, context({ scale: 3, opacity: () => 0.1 }))
  expect(JSON.stringify(builtIn)).toBe(before)
})

// A fragment of the catalogue comes as JSON: what is built in must survive that, or it could not be one.
test.each(Object.entries({ ...builtIn, ...byGeometry }))('the style of %j is JSON, and valid', (name, style) => {
  const copy = JSON.parse(JSON.stringify(style)) as LayerStyle
  expect(copy).toEqual(style)
  const source = 'tiles-x'
  const layers = renderLayer(aLayer('x', { tile: { cluster: { cell: 8, to_zoom: 3 } } }), copy, context()).map((m) => m.layer)
  expect(layers.length, name).toBeGreaterThan(0)
  expect(validateStyleMin({ version: 8, sources: { [source]: { type: 'vector', tiles: ['https://map.example/{z}/{x}/{y}'] } }, layers } as never)).toEqual([])
  for (const part of style.layers) expect(slots).toContain(part.slot)
})

test('the icons that styles name are drawn', () => {
  const icons = [...JSON.stringify(builtIn).matchAll(/"\$icon":"([^"]+)"/g)].map((m) => m[1]!)
  expect(new Set(icons.map((icon) => icon.split(':')[0]))).toEqual(new Set(['res', 'risk', 'riskcluster', 'hatch']))
  for (const icon of icons) expect(parseIcon(`om:dark:${icon}`), icon).not.toBeNull()
  for (const wrong of ['om:dark:res:castle', 'om:dark:res', 'om:dim:res:port', 'om:dark:ring', 'x']) expect(parseIcon(wrong), wrong).toBeNull()
})

test('the legend is made of the style: levels as icons or swatches, one icon, one swatch with words, notes', () => {
  expect(legendOf(builtIn.risk_source, 'dark')).toEqual({ rows: [1, 2, 3, 4].map((level) => ({ icon: `om:dark:risk:${level}`, level })), notes: ['map.cluster.other'] })
  expect(legendOf(builtIn.hazard_zone, 'light').rows[1]).toEqual({ sample: { form: 'area', stroke: tokens.light.levels[2], width: 1.5 }, level: 2 })
  expect(legendOf(builtIn.hospital, 'light').rows).toEqual([{ icon: 'om:light:res:hospital' }])
  expect(legendOf(builtIn.county, 'dark').rows).toEqual([{ sample: { form: 'line', stroke: tokens.dark.county, width: 1.5, dashed: true }, text: 'command.map.schematic' }])
  expect(legendOf(builtIn.land, 'dark')).toEqual({ rows: [], notes: [] })
  expect(legendOf(undefined, 'dark')).toEqual({ rows: [], notes: [] })
})

test('a layer has its own style, or that of its geometry; what has no form that is drawn has none', () => {
  expect(styleOf(aLayer('shelter', { geometry_type: 'Point' }))).toBe(builtIn.shelter)
  expect(styleOf(aLayer('pond', { geometry_type: 'MultiPolygon' }))).toBe(byGeometry.Polygon)
  expect(styleOf(aLayer('pond', { geometry_type: 'GeometryCollection' }))).toBeUndefined()
})

const own = simpleFragment({ ...plainStyle('area', { zh: '塘', en: 'Pond' }), colour: 'water' })
const styled = (name: string, style: LayerStyle, over: Partial<Layer> = {}) => aLayer(name, { geometry_type: 'Polygon', ...over, style: style as Layer['style'] })

test('a style of the catalogue takes the place of the built-in one; what is the background stays so', () => {
  expect(styleOf(styled('shelter', own))).toEqual(own)
  expect(styleOf(styled('land', own))).toEqual({ ...own, base: true })
  expect(drawnFrom(styled('shelter', { ...own, from: 6 }))).toBe(6)
  expect(drawnFrom(styled('shelter', own))).toBe(0)
})

test('the names of a layer with its own style are where the style has them', () => {
  const labels = (layer: Layer) => hasLabels(layer, styleOf(layer))
  const silent = { layers: own.layers.filter((part) => !part.labels) }
  expect([labels(styled('pond', own)), labels(styled('pond', silent)), labels(styled('land', own)), labels(styled('pond', own, { geometry_type: 'Point' }))]).toEqual([true, false, true, false])
})

test('text without a font has that of the map', () => {
  const text = (layout: Record<string, StyleValue>): LayerStyle => ({ layers: [{ id: '-t', slot: 'names', type: 'symbol', layout }] })
  const fontIn = (layout: Record<string, StyleValue>) => (renderLayer(aLayer('x'), text(layout), context())[0]!.layer.layout as Record<string, unknown>)['text-font']
  expect(fontIn({ 'text-field': 'x' })).toEqual(['Noto Sans SC'])
  expect(fontIn({ 'icon-size': 1 })).toBeUndefined()
})

test('facilities and small places appear from a zoom of their own, unless the catalogue begins later', () => {
  const from = (name: string, min_zoom: number) => drawnFrom(aLayer(name, { min_zoom }))
  expect([from('shelter', 0), from('airport', 0), from('town', 0), from('place', 0), from('pond', 3), from('shelter', 11)]).toEqual([8, 7, 9, 10, 3, 11])
})

test('areas have label points, but for the ground, which has names of its own', () => {
  const labels = (name: string, geometry_type: string) => {
    const layer = aLayer(name, { geometry_type })
    return hasLabels(layer, styleOf(layer))
  }
  expect([labels('pond', 'Polygon'), labels('hazard_zone', 'MultiPolygon'), labels('land', 'Polygon'), labels('pond', 'Geometry'), labels('shelter', 'Polygon')]).toEqual([true, true, false, false, true])
  expect(baseNames).toHaveLength(12)
})

// The whole style, byte for byte: what draws the map changes only where somebody means it. Updated by vitest -u.

import { expect, test } from 'vitest'
import { aLayer } from '@/shared/testing/fixtures'
import type { Layer } from '@/shared/api/types'
import { buildStyle } from './style'
import type { StyleInput } from './style-context'

/** The layers that a city begins with, and one of each geometry that an import may bring, in the order of the catalogue. */
const geometries: [name: string, geometry: string, over?: Partial<Layer>][] = [
  ['brought_areas', 'MultiPolygon'],
  ['hazard_zone', 'Polygon', { attribution: '甲' }],
  ['risk_source', 'Point', { tile: { cluster: { cell: 512, to_zoom: 10 } }, min_zoom: 5, max_zoom: 16 }],
  ['rescue_team', 'Point'],
  ['shelter', 'Point'],
  ['hospital', 'MultiPoint'],
  ['brought_points', 'Point'],
  ['brought_clusters', 'MultiPoint', { tile: { cluster: { cell: 256, to_zoom: 9 } } }],
  ['brought_lines', 'MultiLineString'],
  ['brought_mixed', 'Geometry', { tile: { cluster: { cell: 256, to_zoom: 9 } } }],
  ['brought_anything', ''],
  ['brought_collection', 'GeometryCollection'],
  ['sea', 'Point', { max_zoom: 9 }],
  ['land', 'Polygon'],
  ['land_surroundings', 'MultiPolygon'],
  ['coast', 'LineString'],
  ['urban', 'Polygon', { max_zoom: 11 }],
  ['river', 'MultiLineString'],
  ['county', 'Polygon', { attribution: '乙' }],
  ['county_point', 'Point'],
  ['town', 'Point'],
  ['place', 'Point'],
  ['airport', 'Point', { attribution: '丙' }],
  ['port', 'Point', { attribution: '丙' }],
]
const layers = geometries.map(([name, geometry_type, over]) => aLayer(name, { geometry_type, ...over }))
const golden = (over: Partial<StyleInput>) => JSON.stringify(buildStyle({ theme: 'dark', language: 'zh', layers, settings: {}, address: 'https://map.example/', ...over }), null, 1) + '\n'

test('a dark map in Chinese on a desk', async () => {
  await expect(golden({})).toMatchFileSnapshot('testdata/style-dark-zh.json')
})

test('a light map in English on a wall, with layers switched off and drawn faintly', async () => {
  const names = [...layers.map((l) => l.name), '@devices', '@areas']
  const settings = Object.fromEntries(names.map((name, i) => [name, { visible: i % 3 !== 0, opacity: (i % 7) / 10 + 0.3 }]))
  await expect(golden({ theme: 'light', language: 'en', settings, scale: 2, still: true })).toMatchFileSnapshot('testdata/style-light-en.json')
})

test('a catalogue without the layers of the city is still drawn', async () => {
  await expect(golden({ layers: layers.filter((l) => l.name.startsWith('brought')) })).toMatchFileSnapshot('testdata/style-imports.json')
})

import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { expect, test } from 'vitest'
import type { Layer } from '../api/types'
import { tokens } from '../theme/tokens'
import { buildStyle, sourceGroups } from './style'
import { baseNames, clusterLimit, type StyleInput } from './style-context'

function layer(name: string, geometry_type: string, over: Partial<Layer> = {}): Layer {
  return {
    name, geometry_type, theme: 'place', title: { zh: name, en: name }, owner: { zh: '', en: '' }, origin: 'real',
    audience: { kind: 'public' }, source: '', licence: '', attribution: '', updated_on: '2026-01-01T00:00:00Z', cycle_days: 0,
    min_zoom: 0, max_zoom: 14, fields: [], version: 1, count: 10, bbox: null, modified_at: '2026-01-01T00:00:00Z', ...over,
  }
}

const catalogue = [
  ...baseNames.map((n) => layer(n, ['sea', 'town', 'place', 'county_point', 'airport', 'port'].includes(n) ? 'Point' : n === 'coast' || n === 'river' ? 'LineString' : 'Polygon')),
  layer('risk_source', 'Point', { count: 3000 }),
  layer('hazard_zone', 'Polygon'),
  layer('shelter', 'Point'),
  layer('hospital', 'Point'),
  layer('rescue_team', 'Point'),
  layer('brought_points', 'MultiPoint'),
  layer('brought_lines', 'LineString'),
  layer('brought_mixed', 'Geometry'),
]

const input = (over: Partial<StyleInput> = {}): StyleInput => ({
  theme: 'dark', language: 'zh', layers: catalogue, settings: {}, origin: 'https://map.example', ...over,
})

test.each(['dark', 'light'] as const)('is a valid style in %s and both languages', (theme) => {
  for (const language of ['zh', 'en'] as const) {
    expect(validateStyleMin(buildStyle(input({ theme, language })) as never)).toEqual([])
  }
})

test('is a pure function', () => {
  expect(buildStyle(input())).toEqual(buildStyle(input()))
})

test('asks nobody for glyphs, sprites or another host', () => {
  const style = buildStyle(input())
  expect(style.glyphs).toBeUndefined()
  expect(style.sprite).toBeUndefined()
  const urls = JSON.stringify(style).match(/https?:\/\/[^"/]+/g) ?? []
  expect(new Set(urls)).toEqual(new Set(['https://map.example']))
})

test('takes its colours from the tokens', () => {
  for (const theme of ['dark', 'light'] as const) {
    const background = buildStyle(input({ theme })).layers[0]
    expect(background).toMatchObject({ type: 'background', paint: { 'background-color': tokens[theme].sea } })
  }
})

test('base layers share a source, the others have their own; an empty catalogue is still a map', () => {
  const groups = sourceGroups(catalogue)
  expect(groups.get('base-14')?.map((l) => l.name)).toEqual(baseNames)
  expect(groups.get('tiles-hazard_zone')).toHaveLength(1)
  expect(validateStyleMin(buildStyle(input({ layers: [] })) as never)).toEqual([])
})

test('risk sources are clustered here while they are few, and tiles when they are many', () => {
  const few = buildStyle(input())
  expect(few.sources['points-risk_source']).toMatchObject({ cluster: true })
  const many = buildStyle(input({ layers: [layer('risk_source', 'Point', { count: clusterLimit + 1 })] }))
  expect(many.sources['points-risk_source']).toBeUndefined()
  expect(many.sources['tiles-risk_source']).toMatchObject({ type: 'vector' })
  expect(validateStyleMin(many as never)).toEqual([])
})

test('devices cluster by the worst level, and a firing one ignores collisions and the slider', () => {
  const style = buildStyle(input({ settings: { '@devices': { visible: true, opacity: 0.2 } } }))
  expect(style.sources.devices).toMatchObject({ clusterProperties: { rank: ['min', ['get', 'rank']] } })
  const find = (id: string) => style.layers.find((l) => l.id === id)
  expect(find('device-point')).toMatchObject({ paint: { 'icon-opacity': 0.2 } })
  expect(find('device-cluster')).toMatchObject({
    layout: { 'icon-allow-overlap': true, 'text-allow-overlap': true },
    paint: { 'icon-opacity': ['case', ['<', ['get', 'rank'], 9], 1, 0.2] },
  })
  expect(find('device-firing')).toMatchObject({ layout: { 'icon-allow-overlap': true }, paint: { 'icon-opacity': 1 } })
  expect(style.layers.at(-1)?.id).toBe('device-firing') // nothing is drawn over it
})

test('a switched-off layer is there and hidden; county lines are dashed', () => {
  const style = buildStyle(input({ settings: { county: { visible: false, opacity: 1 } } }))
  expect(style.layers.find((l) => l.id === 'county-line')).toMatchObject({ layout: { visibility: 'none' }, paint: { 'line-dasharray': [4, 3] } })
})

test('the shipped font is named only where it is needed', () => {
  expect(buildStyle(input())).not.toHaveProperty('font-faces')
  const faces = [{ url: '/a.woff2', 'unicode-range': ['U+4E00-9FFF'] }]
  expect(buildStyle(input({ fontFaces: faces }))).toHaveProperty('font-faces', { 'Noto Sans SC': faces })
})

import { createExpression, featureFilter, validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { expect, test } from 'vitest'
import type { Layer } from '@/shared/api/types'
import { tokens } from '@/shared/theme/tokens'
import { parseIcon, ringParts } from '@/shared/map/icons'
import { buildStyle, sourceGroups } from './style'
import { clusterOf } from './pick'
import { clusterCountText, clusterRank, isClusterFeature } from '@/features/layers/style/clusters'
import { baseNames } from './layer-themes'
import type { StyleInput } from './style-context'
import { clusterIcon, clusterText, deviceClusterProperties } from './style-device-clusters'

function layer(name: string, geometry_type: string, over: Partial<Layer> = {}): Layer {
  return {
    name, geometry_type, theme: 'place', title: { zh: name, en: name }, owner: { zh: '', en: '' }, origin: 'real',
    audience: { kind: 'public' }, source: '', licence: '', attribution: '', updated_on: '2026-01-01T00:00:00Z', cycle_days: 0,
    min_zoom: 0, max_zoom: 14, fields: [], tile: {}, version: 1, count: 10, bbox: null, modified_at: '2026-01-01T00:00:00Z', ...over,
  }
}

const catalogue = [
  ...baseNames.map((n) => layer(n, ['sea', 'town', 'place', 'county_point', 'airport', 'port'].includes(n) ? 'Point' : n === 'coast' || n === 'river' ? 'LineString' : 'Polygon')),
  layer('risk_source', 'Point', { tile: { cluster: { cell: 512, to_zoom: 10 } } }),
  layer('hazard_zone', 'Polygon'),
  layer('shelter', 'Point'),
  layer('hospital', 'Point'),
  layer('rescue_team', 'Point'),
  layer('brought_points', 'MultiPoint'),
  layer('brought_clusters', 'Point', { tile: { cluster: { cell: 256, to_zoom: 9 } } }),
  layer('brought_lines', 'LineString'),
  layer('brought_areas', 'MultiPolygon'),
  layer('brought_mixed', 'Geometry'),
]

const input = (over: Partial<StyleInput> = {}): StyleInput => ({
  theme: 'dark', language: 'zh', layers: catalogue, settings: {}, address: 'https://map.example/', ...over,
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

test('risk sources come from tiles like any other layer, clusters and single ones apart', () => {
  const style = buildStyle(input())
  expect(style.sources['tiles-risk_source']).toMatchObject({ type: 'vector', tiles: ['https://map.example/tiles/risk_source/{z}/{x}/{y}.mvt'] })
  const geojson = Object.keys(style.sources).filter((name) => style.sources[name]!.type === 'geojson')
  expect(geojson.sort()).toEqual(['alert-areas', 'devices', 'measure', 'selection'])
  const find = (id: string) => style.layers.find((l) => l.id === id)
  expect(find('risk_source-cluster')).toMatchObject({ 'source-layer': 'risk_source', filter: isClusterFeature })
  expect(find('risk_source-icon')).toMatchObject({ 'source-layer': 'risk_source', filter: ['!', isClusterFeature] })
})

const inTile = (id: number | undefined, properties: Record<string, unknown>) => ({ type: 1 as const, id, properties, geometry: [] })
const isCluster = (id: number | undefined, properties: Record<string, unknown>) =>
  featureFilter(isClusterFeature, 'filter').filter({ zoom: 9 } as never, inTile(id, properties) as never)

test('a cluster has a count and no id; a point that stands for others has both; one alone has no count', () => {
  for (const [id, properties, cluster] of [
    [undefined, { count: 7, level: 1 }, true],
    [17, { count: 7, level: 1, name_zh: '甲' }, false],
    [17, { level: 1, name_zh: '甲' }, false],
    [undefined, { level: 1 }, false],
  ] as const) {
    expect(isCluster(id, properties)).toBe(cluster)
    expect(clusterOf({ source: 'tiles-risk_source', id, properties, geometry: { type: 'Point', coordinates: [121, 37] } as never }) !== null).toBe(cluster)
  }
})

test('the count of a cluster is short, its rank that of the worst', () => {
  const said = [2, 999, 1000, 1249, 9999, 10_000, 31_400].map((count) => sayOf(clusterCountText, { count }))
  expect(said).toEqual(['2', '999', '1k', '1.2k', '10k', '10k', '31k'])
  expect([1, 2, 3, 4, 0].map((level) => sayOf(clusterRank, { level }))).toEqual([1, 2, 3, 4, 9])
})

test('imported points get circles with counts where the server clusters them', () => {
  const ids = buildStyle(input()).layers.map((l) => l.id)
  expect(ids).toContain('brought_clusters-cluster')
  expect(ids).toContain('brought_clusters-count')
  expect(ids).not.toContain('brought_points-cluster')
})

test('areas are named from points that come with their tiles; the ground and mixed layers are not', () => {
  const style = buildStyle(input({ language: 'en' }))
  expect(style.sources['tiles-hazard_zone']).toMatchObject({ tiles: ['https://map.example/tiles/hazard_zone,hazard_zone.label/{z}/{x}/{y}.mvt'] })
  expect(style.layers.find((l) => l.id === 'hazard_zone-name')).toMatchObject({ source: 'tiles-hazard_zone', 'source-layer': 'hazard_zone.label', minzoom: 11 })
  const named = style.layers.filter((l) => l.id.endsWith('-name')).map((l) => l.id)
  expect(named.sort()).toEqual(['brought_areas-name', 'hazard_zone-name'])
  const urls = Object.values(style.sources).flatMap((s) => ('tiles' in s ? s.tiles : [])).join()
  expect(urls).not.toMatch(/land\.label|brought_mixed\.label/)
})

const compiled = new Map<unknown, { evaluate(globals: never, feature: never): unknown }>()
function sayOf(expression: unknown, properties: Record<string, unknown>): unknown {
  let made = compiled.get(expression)
  if (!made) {
    const parsed = createExpression(expression, 'layout')
    if (parsed.result === 'error') throw new Error(JSON.stringify(parsed.value))
    compiled.set(expression, (made = parsed.value as never))
  }
  return made!.evaluate({ zoom: 9 } as never, inTile(undefined, properties) as never)
}
const darkIcon = clusterIcon('dark')

test('firing devices and the clusters that hold one ignore collisions, the switch and the slider', () => {
  for (const visible of [true, false]) {
    const style = buildStyle(input({ settings: { '@devices': { visible, opacity: 0.2 } } }))
    const find = (id: string) => style.layers.find((l) => l.id === id)
    const quiet = { layout: { visibility: visible ? 'visible' : 'none' }, paint: { 'icon-opacity': 0.2 } }
    expect(find('device-point')).toMatchObject(quiet)
    expect(find('device-cluster')).toMatchObject(quiet)
    for (const id of ['device-cluster-firing', 'device-firing']) {
      expect(find(id)).toMatchObject({ layout: { visibility: 'visible', 'icon-allow-overlap': true }, paint: { 'icon-opacity': 1 } })
    }
    // Nothing is drawn over them but the small mark of a silence beside one.
    expect(style.layers.slice(-3).map((l) => l.id)).toEqual(['device-cluster-firing', 'device-firing', 'device-silenced'])
  }
})

/** What the style makes of a cluster of these devices: supercluster's sums, then the icon and the text. */
function cluster(devices: { rank: number; stale: 0 | 1 }[]) {
  const sums = Object.fromEntries(
    Object.entries(deviceClusterProperties).map(([name, [operator, map]]) => {
      const values = devices.map((d) => sayOf(map, d) as number)
      return [name, operator === 'min' ? Math.min(...values) : values.reduce((a, b) => a + b, 0)]
    }),
  )
  const n = devices.length
  const properties = { ...sums, point_count: n, point_count_abbreviated: n < 1000 ? n : `${Math.round(n / 100) / 10}k` }
  const [rank, firing, stale] = parseIcon(sayOf(darkIcon, properties) as string)!.args.map(Number)
  const text = (sayOf(clusterText, properties) as { sections: { text: string }[] }).sections.map((s) => s.text).join('')
  return { rank, firing, stale, ok: ringParts - firing! - stale!, text }
}
const some = (n: number, rank: number, stale: 0 | 1) => Array.from({ length: n }, () => ({ rank, stale }))

test.each([
  ['one red of 114', [...some(1, 1, 0), ...some(113, 9, 0)], { rank: 1, firing: 1, stale: 0, ok: 11, text: '1\n/114' }],
  ['one red and two yellow', [...some(1, 1, 0), ...some(2, 3, 0), ...some(9, 9, 0)], { rank: 1, firing: 3, stale: 0, ok: 9, text: '3\n/12' }],
  ['all are well', some(40, 9, 0), { rank: 9, firing: 0, stale: 0, ok: 12, text: '40' }],
  ['599 of 600 have no data', [...some(599, 9, 1), ...some(1, 9, 0)], { rank: 9, firing: 0, stale: 12, ok: 0, text: '600' }],
  ['one of 600 has no data', [...some(1, 9, 1), ...some(599, 9, 0)], { rank: 9, firing: 0, stale: 1, ok: 11, text: '600' }],
  ['one fires among silent ones', [...some(1, 4, 0), ...some(599, 9, 1)], { rank: 4, firing: 1, stale: 11, ok: 0, text: '1\n/600' }],
  ['a firing one without data counts as firing', some(2, 2, 1), { rank: 2, firing: 12, stale: 0, ok: 0, text: '2\n/2' }],
  ['half and half', [...some(1, 9, 1), ...some(1, 9, 0)], { rank: 9, firing: 0, stale: 6, ok: 6, text: '2' }],
  ['all fire but one silent of 1,500', [...some(1499, 3, 0), ...some(1, 9, 1)], { rank: 3, firing: 12, stale: 0, ok: 0, text: '1499\n/1.5k' }],
])('a cluster: %s', (_, devices, want) => {
  expect(cluster(devices)).toEqual(want)
})

test('no mix of devices makes a number of alarms of healthy ones, or a green ring of silent ones', () => {
  for (const n of [2, 3, 5, 11, 12, 13, 43, 114]) {
    for (let firing = 0; firing <= n; firing += Math.ceil(n / 8)) {
      for (let stale = 0; stale <= n - firing; stale += Math.ceil(n / 9)) {
        const made = cluster([...some(firing, 2, 0), ...some(stale, 9, 1), ...some(n - firing - stale, 9, 0)])
        expect(made.text).toBe(firing ? `${firing}\n/${n}` : `${n}`)
        expect(made.rank === 9).toBe(firing === 0)
        expect(made.firing! > 0).toBe(firing > 0)
        expect(made.ok).toBeGreaterThanOrEqual(0)
        expect(made.ok / ringParts).toBeLessThanOrEqual((n - firing - stale) / n + 1e-9)
        if (stale && firing < (n * (ringParts - 1)) / ringParts) expect(made.stale).toBeGreaterThan(0)
      }
    }
  }
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

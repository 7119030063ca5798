import { expect, test } from 'vitest'
import { aDevice, anAlert } from '@/shared/testing/fixtures'
import { alertAreas, deviceFeatures, deviceSignature } from './features'
import { clusterOf, pickAt, toPick } from './pick'

type Found = { layer: { id: string }; source: string; sourceLayer?: string; id?: number; properties: Record<string, unknown>; geometry: { type: string; coordinates?: unknown } }
const point = (over: Partial<Found> = {}): Found => ({
  layer: { id: 'shelter-icon' }, source: 'tiles-shelter', sourceLayer: 'shelter', id: 7, properties: { name_zh: '甲', name_en: 'A', level: 2 }, geometry: { type: 'Point', coordinates: [121, 37] }, ...over,
})
const area = (over: Partial<Found> = {}) => point({ layer: { id: 'hazard_zone-fill' }, source: 'tiles-hazard_zone', sourceLayer: 'hazard_zone', geometry: { type: 'Polygon' }, ...over })
const pick = (...found: Found[]) => pickAt({ queryRenderedFeatures: () => found } as never, { x: 10, y: 10 } as never)

test('what is looked for is a small box around the pointer', () => {
  let box: unknown
  pickAt({ queryRenderedFeatures: (at: unknown) => ((box = at), []) } as never, { x: 10, y: 20 } as never)
  expect(box).toEqual([[5, 15], [15, 25]])
})

test('each thing is there once, by its kind, its layer and its id', () => {
  expect(pick(point(), point({ layer: { id: 'shelter-label' } })).picks).toEqual([{ kind: 'feature', layer: 'shelter', id: '7', name: { zh: '甲', en: 'A' }, level: 2 }])
  expect(pick(point(), point({ id: 8 })).picks.map((p) => p.id)).toEqual(['7', '8'])
  expect(pick(point({ id: undefined })).picks).toEqual([]) // nothing to open
})

test('points come before the areas that they lie in; an area’s name is the area', () => {
  expect(pick(area(), point()).picks.map((p) => p.layer)).toEqual(['shelter'])
  expect(pick(area()).picks.map((p) => p.layer)).toEqual(['hazard_zone'])
  expect(pick(point({ layer: { id: 'hazard_zone-name' }, source: 'tiles-hazard_zone', sourceLayer: 'hazard_zone.label' })).picks[0]!.layer).toBe('hazard_zone')
})

test('the ground is not a thing to choose', () => {
  for (const id of ['sea', 'land', 'urban', 'coast-line', 'county-line', 'river-label', 'selection-halo', 'measure-line', 'alert-area-line']) expect(pick(area({ layer: { id } })).picks, id).toEqual([])
})

test('devices and alert areas are named by their own ids', () => {
  expect(toPick('devices', 'devices', { id: 'D1', name_zh: '甲', level: 1 }, 3)).toEqual({ kind: 'device', id: 'D1', name: { zh: '甲', en: '' }, level: 1 })
  expect(toPick('alert-areas', 'alert-areas', { id: 58 }, undefined)).toEqual({ kind: 'alert', id: '58', name: { zh: '', en: '' }, level: 0 })
})

test('a cluster on top is what is meant: of this page’s own making, or of a tile’s', () => {
  const own = point({ source: 'devices', properties: { point_count: 9, cluster_id: 4 } })
  expect(pick(own, point()).cluster).toEqual({ at: [121, 37], here: { source: 'devices', id: 4 } })
  expect(pick(point({ id: undefined, properties: { count: 9 } })).cluster).toEqual({ at: [121, 37] })
  expect(clusterOf(area({ properties: { point_count: 9 } }))).toBeNull()
})

test('a point that stands for others beside it says where, and a cluster below it is left out', () => {
  const { picks, cluster } = pick(point({ properties: { count: 3 } }), point({ id: undefined, properties: { count: 9 } }))
  expect(cluster).toBeNull()
  expect(picks).toMatchObject([{ id: '7', at: [121, 37] }])
})

test('devices become points, the worst first in rank, silent and silenced ones marked', () => {
  const drawn = deviceFeatures([aDevice({ level: 0 }), aDevice({ id: 'D2', level: 1 })], (d) => d.id === 'D1', (d) => d.id === 'D2')
  expect(drawn.features.map((f) => [f.properties.id, f.properties.rank, f.properties.stale, f.properties.silenced])).toEqual([['D1', 9, 1, 0], ['D2', 1, 0, 1]])
  const again = deviceFeatures([aDevice({ level: 0 }), aDevice({ id: 'D2', level: 2 })], () => true)
  expect(deviceSignature(drawn)).not.toBe(deviceSignature(again))
  expect(deviceSignature(drawn)).toBe(deviceSignature(structuredClone(drawn)))
})

test('the area of an alert that is over is drawn only while it is chosen', () => {
  const cleared = anAlert(2, { detection: 'cleared' })
  const ids = (chosen: number | null) => alertAreas([anAlert(1), cleared, anAlert(3, { area: [] })], chosen).features.map((f) => [f.properties!.id, f.properties!.chosen])
  expect(ids(null)).toEqual([[1, false]])
  expect(ids(2)).toEqual([[1, false], [2, true]])
})

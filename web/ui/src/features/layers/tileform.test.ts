import { expect, test } from 'vitest'
import type { Layer, TileRules } from '@/shared/api/types'
import { changeOf, formField, rulesOf, tileDefaults, tileFaults, tileForm } from './tileform'

function layer(tile: TileRules = {}, over: Partial<Layer> = {}): Layer {
  return {
    name: 'risk_source', geometry_type: 'Point', theme: 'hazard_source', title: { zh: '', en: '' }, owner: { zh: '', en: '' }, origin: 'real',
    audience: { kind: 'public' }, source: '', licence: '', attribution: '', updated_on: '', cycle_days: 0, min_zoom: 5, max_zoom: 14, version: 3, count: 1,
    bbox: null, modified_at: '', tile,
    fields: [
      { name: 'kind', type: 'string', title: { zh: '', en: '' }, in_tile: true },
      { name: 'grade', type: 'number', title: { zh: '', en: '' }, in_tile: false },
    ],
    ...over,
  }
}

test.each<[string, TileRules]>([
  ['defaults', {}],
  ['all of them', { severity: 'grade', simplify: 0.5, thin: { cell: 16, to_zoom: 12 }, cluster: { cell: 512, to_zoom: 10 }, buffer: 0, source: 'database' }],
  ['thinning switched off', { thin: { cell: 0, to_zoom: 0 } }],
  ['no simplification', { simplify: 0 }],
])('rules survive the form: %s', (_, rules) => {
  const form = tileForm(layer(rules))
  expect(tileFaults(form).size).toBe(0)
  expect(rulesOf(form)).toEqual(rules)
  expect(changeOf(form, layer(rules))).toBeNull()
})

test('only what was changed is sent, rules as a whole', () => {
  const from = layer({ simplify: 2 })
  expect(changeOf({ ...tileForm(from), maxZoom: '12' }, from)).toEqual({ max_zoom: 12 })
  expect(changeOf({ ...tileForm(from), buffer: '128' }, from)).toEqual({ tile: { simplify: 2, buffer: 128 } })
  expect(changeOf({ ...tileForm(from), simplify: '' }, from)).toEqual({ tile: {} })
  expect(changeOf({ ...tileForm(from), inTile: ['grade', 'kind'] }, from)).toEqual({ in_tile: ['kind', 'grade'] })
  expect(changeOf({ ...tileForm(from), inTile: [] }, from)).toEqual({ in_tile: [] })
})

test('says what cannot be sent, at its field', () => {
  const form = tileForm(layer())
  const faulty = (over: Partial<typeof form>) => Object.fromEntries(tileFaults({ ...form, ...over }))
  expect(faulty({ minZoom: '' })).toEqual({ min_zoom: '必填' })
  expect(faulty({ maxZoom: '23' })).toEqual({ max_zoom: '23 不在 0 至 22 之间' })
  expect(faulty({ simplify: 'x' })).toEqual({ simplify: '应为有限的数字' })
  expect(faulty({ buffer: '1.5' })).toEqual({ buffer: '应为整数' })
  expect(faulty({ simplify: '257', buffer: '1025' })).toEqual({ simplify: '257 不在 0 至 256 之间', buffer: '1025 不在 0 至 1024 之间' })
  expect(faulty({ thin: { use: 'own', cell: 8, toZoom: 'x' }, cluster: { use: 'own', cell: 8, toZoom: '' } })).toEqual({ 'thin.to_zoom': '应为有限的数字', 'cluster.to_zoom': '必填' })
  expect(faulty({ thin: { use: 'default', cell: 8, toZoom: 'x' }, cluster: { use: 'off', cell: 8, toZoom: '' } })).toEqual({})
})

test('what only the server judges is sent: the order of the zooms', () => {
  const form = { ...tileForm(layer()), minZoom: '9', maxZoom: '8' }
  expect(tileFaults(form).size).toBe(0)
  expect(changeOf(form, layer())).toEqual({ min_zoom: 9, max_zoom: 8 })
})

test('begins where the server does', () => {
  expect(tileDefaults).toEqual({ simplify: 4, thinCell: 16, clusterCell: 512, buffer: 64 })
  expect(tileForm(layer()).thin).toEqual({ use: 'default', cell: 16, toZoom: '13' })
})

test('finds the field of the form that the server means', () => {
  expect(['body.tile.thin.cell', 'tile.simplify', 'simplify', 'body.min_zoom', 'body.in_tile[2]'].map(formField)).toEqual(['thin.cell', 'simplify', 'simplify', 'min_zoom', 'in_tile'])
})

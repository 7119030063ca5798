import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fileName } from '@/shared/api/download'
import { boundsOf, distance } from '@/shared/geo/geo'
import { setLanguage } from '@/shared/i18n'
import { useSession } from '@/shared/session/session'
import { aMe } from '@/shared/testing/fixtures'
import { aServer, refusal } from '@/shared/testing/server'
import { countyBox } from './county'
import { useSheet } from './sheet'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  setLanguage('zh')
})

const county = (division: string, west: number) => ({
  type: 'Feature', id: west, properties: { division }, geometry: { type: 'Polygon', coordinates: [[[west, 37], [west + 1, 37], [west + 1, 38], [west, 37]]] },
})

test('the box of a county is that of all its parts; a town’s is its county’s', async () => {
  const calls = aServer({ 'GET /api/v1/layers/county/features': { type: 'FeatureCollection', features: [county('370602', 121), county('370602', 123), county('370614', 100)] } })
  expect(await countyBox('370602')).toEqual([121, 37, 124, 38])
  expect(await countyBox('370614001')).toEqual([100, 37, 101, 38])
  expect(await countyBox('370699')).toBeNull()
  expect(calls).toHaveLength(3)
})

test('a city has no box of a county, and is not asked for; a server that is away is an error', async () => {
  const calls = aServer({ 'GET /api/v1/layers/county/features': refusal(503) })
  expect(await countyBox('3706')).toBeNull()
  expect(calls).toEqual([])
  await expect(countyBox('370602')).rejects.toThrow()
})

test('a box is around any nest of positions, and around nothing there is none', () => {
  expect(boundsOf([[[[121, 37, 5], [122, 38, 5]]], [120, 36]])).toEqual([120, 36, 122, 38])
  for (const none of [[], null, 'x', [[]], [['a', 'b']]]) expect(boundsOf(none)).toBeNull()
  expect(distance([121, 37], [121, 37])).toBe(0)
  expect(distance([121, 37], [122, 37])).toBeCloseTo(distance([122, 37], [121, 37]), 6)
})

test('a sheet has the usual title and author until somebody writes others', () => {
  useSession().me = aMe({ name: '王指挥' })
  const sheet = useSheet()
  expect([sheet.writtenTitle, sheet.writtenAuthor]).toEqual([sheet.usualTitle, '王指挥'])
  expect(sheet.usualTitle).toContain('烟台市')
  sheet.title = '  '
  expect(sheet.writtenTitle).toBe(sheet.usualTitle)
  sheet.title = ' 台风 '
  sheet.author = '李'
  expect([sheet.writtenTitle, sheet.writtenAuthor]).toEqual(['台风', '李'])
  setLanguage('en')
  expect(sheet.usualTitle).toContain('Yantai')
})

test('a file has the name that the server gives it, the one in UTF-8 first', () => {
  expect(fileName(`attachment; filename="alerts.csv"; filename*=UTF-8''%E5%91%8A%E8%AD%A6.csv`, 'x')).toBe('告警.csv')
  expect(fileName('attachment; filename=alerts.csv', 'x')).toBe('alerts.csv')
  expect(fileName(`attachment; filename="alerts.csv"; filename*=UTF-8''%E5%`, 'x')).toBe('alerts.csv')
  expect([fileName(null, 'x'), fileName('attachment', 'x'), fileName(`filename*=utf-8''%zz`, 'x')]).toEqual(['x', 'x', 'x'])
})

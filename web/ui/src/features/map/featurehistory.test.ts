import { beforeEach, expect, test } from 'vitest'
import type { FeatureChange } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { changedBy, differences } from './featurehistory'

const change = (c: Partial<FeatureChange>): FeatureChange => ({ id: 1, at: '2026-07-01T08:00:00Z', kind: 'updated', via: 'hand', actor: 'li', source: '', ...c })

beforeEach(() => setLanguage('zh'))

test('an update says each difference, with its digits', () => {
  const c = change({
    before: { name: { zh: '甲', en: 'A' }, level: 0, fields: { reg: '370602199001011238', gone: true } },
    after: { name: { zh: '乙', en: 'A' }, level: 2, fields: { reg: '370602199001011239', depth: 0.1234567 } },
  })
  const fields = [{ name: 'depth', type: 'number', title: { zh: '深度', en: 'Depth' }, unit: 'm', in_tile: false }]
  expect(differences(c, fields).map((d) => `${d.title}: ${d.before} → ${d.after}`)).toEqual([
    '名称: 甲 → 乙',
    '等级: 正常 → 橙色',
    'reg: 370602199001011238 → 370602199001011239',
    'gone: 是 → 无',
    '深度: 无 → 0.1234567 m',
  ])
  setLanguage('en')
  expect(differences(c, fields)[0]).toEqual({ title: 'Name', before: '甲 / A', after: '乙 / A' })
})

test('a move says from where to where, another shape how many points it has', () => {
  const point = (lon: number) => ({ geometry: { type: 'Point' as const, coordinates: [lon, 37.5] } })
  expect(differences(change({ before: point(121.4), after: point(121.41) }), [])).toEqual([
    { title: '位置', before: '121.4000000° E, 37.5000000° N', after: '121.4100000° E, 37.5000000° N' },
  ])
  const ring = (n: number) => ({ geometry: { type: 'Polygon' as const, coordinates: [Array.from({ length: n }, (_, i) => [i, 0])] } })
  expect(differences(change({ before: ring(5), after: ring(7) }), [])).toEqual([{ title: '形状', before: '5 个点', after: '7 个点' }])
})

test('what was created or deleted has no differences', () => {
  expect(differences(change({ kind: 'deleted', before: { level: 1 } }), [])).toEqual([])
  expect(differences(change({ kind: 'created', via: 'import' }), [])).toEqual([])
})

test('who changed it', () => {
  expect(changedBy(change({}))).toBe('li')
  expect(changedBy(change({ via: 'import', actor: '', source: 'OurAirports' }))).toBe('导入：OurAirports')
  expect(changedBy(change({ via: 'database', actor: 'onemap' }))).toBe('在数据库中：onemap')
})

import { expect, test } from 'vitest'
import type { Alert, Observation, Delivery } from '@/shared/api/types'
import { toldOf, trendOf, wallRows } from './wall'

const alert = (id: number, detection = 'firing') => ({ id, detection }) as Alert
const ids = (found: { rows: Alert[]; more: number }) => [found.rows.map((a) => a.id), found.more]

test.each([
  ['all have room', 3, 70, 5, [[0, 1, 2, 100, 101], 0]],
  ['live ones fill it', 5, 70, 5, [[0, 1, 2, 3, 4], 0]],
  ['too many live ones', 9, 70, 5, [[0, 1, 2, 3], 5]],
  ['only cleared ones', 0, 70, 2, [[100, 101], 0]],
  ['no room', 2, 2, 0, [[], 2]],
  ['nothing', 0, 0, 5, [[], 0]],
])('rows of a wall: %s', (_, live, cleared, room, want) => {
  const all = [...Array.from({ length: live }, (_, i) => alert(i)), ...Array.from({ length: cleared }, (_, i) => alert(100 + i, 'cleared'))]
  expect(ids(wallRows(all, room))).toEqual(want)
  expect(ids(wallRows([...all].reverse(), room))[1]).toBe(want[1]) // whatever the order, live ones come first
})

const point = (minute: number, v: number, qc = 1) => ({ t: new Date(Date.UTC(2026, 10, 28, 3, minute)).toISOString(), v, qc }) as Observation

test('the trend is that of the last ten minutes, in any order and without bad readings', () => {
  expect(trendOf([point(0, 1), point(20, 2), point(25, 3), point(30, 4.5)])).toEqual({ change: 2.5, minutes: 10 })
  expect(trendOf([point(30, 4.5), point(20, 2), point(31, 99, 4)])).toEqual({ change: 2.5, minutes: 10 })
  expect(trendOf([point(28, 5), point(30, 4)])).toEqual({ change: -1, minutes: 2 })
  expect(trendOf([point(30, 4)])).toBeNull()
  expect(trendOf([])).toBeNull()
})

test('who was told: people of all units, units without anybody, confirmations that still hold', () => {
  const person = (user: string, over = {}) => ({ user, name: '', at: '', ...over })
  const told = toldOf([
    { division: '370602', name: { zh: '芝罘区', en: 'Zhifu' }, connected: [person('a'), person('b')], received: [person('a')], confirmed: [person('a', { current: false })] },
    { division: '370686', name: { zh: '栖霞市', en: 'Qixia' }, connected: null, received: null, confirmed: [person('c', { name: '丙' })] },
  ] as Delivery[])
  expect(told).toEqual({ connected: 2, received: 1, confirmed: ['丙'], nobody: [{ zh: '栖霞市', en: 'Qixia' }] })
})

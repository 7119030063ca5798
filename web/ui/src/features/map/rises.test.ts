import { expect, test } from 'vitest'
import type { Alert, Level } from '@/shared/api/types'
import { riseWatcher } from './rises'

const t0 = Date.parse('2026-11-28T03:00:00Z')
const at = (s: number) => new Date(t0 + s * 1000).toISOString()
const alert = (id: number, level: Level, risen: number, over: Partial<Alert> = {}) =>
  ({ id, level, detection: 'firing', opened_at: at(0), risen_at: at(risen), ...over }) as Alert
const ids = (alerts: Alert[]) => alerts.map((a) => a.id)

test('what was open before the page is not news, what rose while it opened is', () => {
  expect(ids(riseWatcher()([alert(1, 1, -60), alert(2, 1, -5)], t0))).toEqual([2])
})

test('a new red, a rise, and data that came back are told once; the worst and newest first', () => {
  const risen = riseWatcher()
  expect(risen([alert(1, 2, -60), alert(2, 1, -60)], t0)).toEqual([])
  expect(ids(risen([alert(1, 1, 5), alert(2, 1, 6), alert(3, 2, 7)], t0))).toEqual([2, 1, 3])
  expect(risen([alert(1, 1, 5), alert(2, 1, 6), alert(3, 2, 7)], t0)).toEqual([])
})

test('a rise is seen by the level alone, too', () => {
  const risen = riseWatcher()
  risen([alert(1, 3, -60)], t0)
  expect(ids(risen([alert(1, 2, -60)], t0))).toEqual([1])
})

test('a fall, a yellow and what cleared do not flash', () => {
  const risen = riseWatcher()
  risen([alert(1, 1, -60), alert(2, 4, -60)], t0)
  expect(risen([alert(1, 2, -60), alert(2, 3, 5), alert(3, 1, 5, { detection: 'cleared' })], t0)).toEqual([])
})

test('of a hundred at once only some ring, the worst of them', () => {
  const risen = riseWatcher()
  risen([], t0)
  const all = risen([...Array.from({ length: 100 }, (_, i) => alert(i, 2, 1)), alert(500, 1, 1)], t0)
  expect(all).toHaveLength(20)
  expect(all[0]!.id).toBe(500)
})

import { expect, test } from 'vitest'
import type { Alert, Confirmation } from '@/shared/api/types'
import { changesBetween, percentBeyond, questionOf, trendOf } from './handling'

const time = (s: number) => new Date(Date.parse('2026-11-23T06:00:00Z') + s * 1000).toISOString()
const by = (user: string, s: number, level: Confirmation['level'] = 3): Confirmation => ({ division: '370602', user, name: `人${user}`, level, at: time(s), current: true })
const alert = (over: Partial<Alert> = {}) => ({ id: 1, version: 1, level: 3, detection: 'firing', handling: 'new', assignee: '', confirmations: [], ...over }) as Alert

test('where readings go is toward danger or away from it, in both directions', () => {
  const up = [[0, 100], [60_000, 104], [120_000, 109]] as const
  expect(trendOf(up, 'above')).toBe('rising')
  expect(trendOf(up, 'below')).toBe('falling')
  expect(trendOf([[0, 5], [60_000, 5.001], [120_000, 5]], 'above')).toBe('steady')
  for (const few of [[], [[0, 1]], [[5, 1], [5, 9]]] as [number, number][][]) expect(trendOf(few, 'above')).toBe('unknown')
  expect(trendOf([[0, 0], [1, 0]], 'above')).toBe('steady')
})

test('how far a value is beyond its threshold', () => {
  expect(percentBeyond(118, 100, 'above')).toBe(18)
  expect(percentBeyond(15, 20, 'below')).toBe(25)
  expect(percentBeyond(-12, -10, 'below')).toBe(20)
  expect(percentBeyond(99, 100, 'above')).toBeNull()
  expect(percentBeyond(5, 0, 'above')).toBeNull()
})

test('every detection that has not cleared asks, and a cleared one does not', () => {
  const at = (detection: Alert['detection'], value: number) => questionOf({ detection, direction: 'above', threshold: 100 }, value, 'rising')
  expect(at('firing', 118)).toBe('rising')
  expect(at('recovering', 90)).toBe('recovering')
  expect(at('stale', 118)).toBe('stale')
  expect(at('cleared', 8)).toBeNull()
})

test('what another did between two versions, with who it was', () => {
  const step = (handling: Alert['handling'], over: Partial<Alert> = {}) => alert({ version: 2, handling, confirmations: [by('r370686', 9)], ...over })
  expect(changesBetween(alert(), step('resolved'), 'r370686')).toEqual([{ what: 'resolved', actor: 'r370686', name: '人r370686', assignee: '' }])
  expect(changesBetween(alert(), step('resolved'))).toMatchObject([{ what: 'resolved', actor: 'r370686' }]) // after a gap
  expect(changesBetween(step('assigned', { assignee: 'a' }), step('assigned', { assignee: 'b' }), 'x')).toMatchObject([{ what: 'assigned', actor: 'x', assignee: 'b' }])
  // Two units acknowledge at once: handling does not change the second time, and it is told all the same.
  expect(changesBetween(step('acknowledged'), step('acknowledged', { confirmations: [by('r370686', 9), by('commander', 10)] }))).toMatchObject([{ what: 'acknowledged', actor: 'commander' }])
  expect(changesBetween(step('acknowledged'), step('acknowledged'))).toEqual([])
})

test('what the readings did meanwhile', () => {
  const changes = (before: Partial<Alert>, after: Partial<Alert>) => changesBetween(alert(before), alert({ version: 2, ...after })).map((c) => c.what)
  expect(changes({ level: 4, handling: 'acknowledged' }, { level: 1 })).toEqual(['rose', 'reopened'])
  expect(changes({ level: 1 }, { level: 2 })).toEqual(['fell'])
  expect(changes({}, { detection: 'cleared', level: 4 })).toEqual(['cleared'])
  expect(changes({}, { detection: 'stale' })).toEqual(['stale'])
  expect(changes({ detection: 'stale' }, {})).toEqual(['back'])
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { levels, rank, worst } from '@/shared/format/levels'
import { fromCityInput, toCityInput } from './citytime'
import { serverNow, setServerTime } from './clock'

beforeEach(() => vi.useFakeTimers({ now: Date.parse('2026-11-23T06:03:09Z') }))
afterEach(() => {
  setServerTime(new Date().toISOString())
  vi.useRealTimers()
})

test('times of forms are the city’s, whatever zone the machine is in', () => {
  expect(toCityInput(Date.parse('2026-11-23T06:03:09Z'))).toBe('2026-11-23T14:03')
  expect(fromCityInput('2026-11-23T14:03')).toBe(Date.parse('2026-11-23T06:03:00Z'))
  expect(fromCityInput('2026-12-31T23:59:59.5')).toBe(Date.parse('2026-12-31T15:59:59.500Z'))
  for (const bad of ['', 'x', '2026-11-23', '2026-13-01T00:00', '2026-11-23 14:03', '2026-11-23T14:03Z']) expect(fromCityInput(bad), bad).toBeNull()
})

test('the page’s clock is the server’s, but for what the network does', () => {
  const own = Date.now()
  setServerTime(new Date(own + 1500).toISOString())
  expect(serverNow()).toBe(own)
  setServerTime(new Date(own - 90_000).toISOString())
  expect(serverNow()).toBe(own - 90_000)
  vi.advanceTimersByTime(1000)
  expect(serverNow()).toBe(own - 89_000)
  setServerTime('not a time')
  expect(serverNow()).toBe(own - 89_000)
})

test('levels are ordered from the worst, none last', () => {
  expect([4, 0, 2, 1, 3].sort((a, b) => rank(a) - rank(b))).toEqual([1, 2, 3, 4, 0])
  expect([worst([3, 2, 0]), worst([0, 0]), worst([])]).toEqual([2, 0, 0])
  expect(levels).toEqual([1, 2, 3, 4])
})
